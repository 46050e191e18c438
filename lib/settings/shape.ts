import type { Node } from "jsonc-parser";
import { createNearest } from "../apis/nearest.ts";
import { problemWithNamed } from "./named.ts";

/** What a value in gatehook.json may be. */
export type Shape =
  /** `problem` says what is wrong with a text, after its place. */
  | { kind: "text"; what: string; problem?: (text: string) => string | undefined }
  /** Settings by their names. */
  | { kind: "settings"; what: string }
  /** Members of any name. */
  | { kind: "map"; what: string; of: Shape; nameProblem?: (name: string) => string | undefined }
  | { kind: "object"; what: string; members: Record<string, Shape> };

/** What is wrong, and where: an offset in the text. */
export interface Misfit {
  offset: number;
  message: string;
}

/** What in a parsed JSON text does not fit; `place` is how the node is called. */
export function misfits(node: Node, shape: Shape, place = ""): Misfit[] {
  if (shape.kind === "text") return textMisfits(node, shape, place);
  if (node.type !== "object")
    return [{ offset: node.offset, message: `${place || "this"} must be an object` }];
  const members = (node.children ?? []).map(({ children = [], offset }) => {
    const [name, value] = children as [Node, Node];
    return { name: String(name.value), value, offset };
  });
  return members.flatMap(({ name, value, offset }, index) => {
    const at = place ? `${place}.${name}` : name;
    if (members.slice(0, index).some((other) => other.name === name))
      return [{ offset, message: `${at} is there twice` }];
    return memberMisfits({ name, value, offset, at }, shape);
  });
}

interface Member {
  name: string;
  value: Node;
  offset: number;
  /** How it is called. */
  at: string;
}

function memberMisfits(
  { name, value, offset, at }: Member,
  shape: Exclude<Shape, { kind: "text" }>,
): Misfit[] {
  if (shape.kind === "settings") {
    const text = settingText(value);
    const problem =
      text === undefined
        ? `${at} must be a text, a number, true, false or a list of texts`
        : problemWithNamed(name, text);
    return problem ? [{ offset, message: problem }] : [];
  }
  if (shape.kind === "map") {
    const problem = shape.nameProblem?.(name);
    return problem ? [{ offset, message: problem }] : misfits(value, shape.of, at);
  }
  const member = Object.hasOwn(shape.members, name) ? shape.members[name] : undefined;
  if (member) return misfits(value, member, at);
  const near = createNearest(Object.keys(shape.members))(name);
  const known = near ? `did you mean ${near}?` : `it may be ${Object.keys(shape.members).join(", ")}`;
  return [{ offset, message: `there is no member ${at}: ${known}` }];
}

function textMisfits(node: Node, shape: Extract<Shape, { kind: "text" }>, place: string): Misfit[] {
  const { offset } = node;
  if (node.type !== "string") return [{ offset, message: `${place} must be a text` }];
  const problem = shape.problem?.(String(node.value));
  return problem ? [{ offset, message: `${place} ${problem}` }] : [];
}

/** A setting's value as an environment variable has it; undefined for what cannot be one. */
function settingText(node: Node): string | undefined {
  if (node.type !== "array") return isScalar(node) ? String(node.value) : undefined;
  const items = node.children ?? [];
  return items.every((item) => item.type === "string") ? items.map((item) => item.value).join() : undefined;
}

const isScalar = ({ type }: Node) => type === "string" || type === "number" || type === "boolean";
