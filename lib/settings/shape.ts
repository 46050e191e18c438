import type { Node } from "jsonc-parser";
import { createNearest } from "../apis/nearest.ts";
import { valueIn } from "../json.ts";
import type { Form } from "./forms.ts";
import { problemWithWritten } from "./named.ts";

/** The shape of a value in gatehook.json. */
export type Shape =
  | { kind: "text"; what: string; form?: Form }
  | { kind: "flag"; what: string }
  /** Settings by their names. */
  | { kind: "settings"; what: string }
  /** Members with any name of a certain form; those with a shape of their own are in `members`. */
  | { kind: "map"; what: string; of: Shape; names?: Form; members?: Record<string, Shape> }
  | { kind: "object"; what: string; members: Record<string, Shape>; required?: string[] };

/** A problem and its offset in the text. */
export interface Misfit {
  offset: number;
  message: string;
}

/** The values of a parsed JSON text that do not match the shape; `place` is the name of the node. */
export function misfits(node: Node, shape: Shape, place = ""): Misfit[] {
  const { offset } = node;
  switch (shape.kind) {
    case "text":
      return textMisfits(node, shape, place);
    case "flag":
      return node.type === "boolean" ? [] : [{ offset, message: `${place} must be true or false` }];
    default:
      if (node.type === "object") return objectMisfits(node, shape, place);
      return [{ offset, message: `${place || "this"} must be an object` }];
  }
}

type ObjectShape = Extract<Shape, { kind: "settings" | "map" | "object" }>;

function objectMisfits(node: Node, shape: ObjectShape, place: string): Misfit[] {
  const below = (name: string) => (place ? `${place}.${name}` : name);
  const members = (node.children ?? []).map(({ children = [], offset }) => {
    const [name, value] = children as [Node, Node];
    return { name: String(name.value), value, offset };
  });
  const found = members.flatMap(({ name, value, offset }, index) => {
    const at = below(name);
    if (members.slice(0, index).some((other) => other.name === name))
      return [{ offset, message: `${at} is there twice` }];
    return memberMisfits({ name, value, offset, at }, shape);
  });
  const required = shape.kind === "object" ? (shape.required ?? []) : [];
  const missing = required.filter((name) => !members.some((member) => member.name === name));
  return [
    ...found,
    ...missing.map((name) => ({ offset: node.offset, message: `${below(name)} is missing` })),
  ];
}

interface Member {
  name: string;
  value: Node;
  offset: number;
  /** The name of the value. */
  at: string;
}

function memberMisfits({ name, value, offset, at }: Member, shape: ObjectShape): Misfit[] {
  if (shape.kind === "settings") {
    const text = settingText(value);
    const problem =
      text === undefined
        ? `${at} must be a text, a number, true, false or a list of texts`
        : problemWithWritten(name, text);
    return problem ? [{ offset, message: problem }] : [];
  }
  const { members = {} } = shape;
  const member = valueIn(members, name);
  if (member) return misfits(value, member, at);
  if (shape.kind === "map") {
    const { names } = shape;
    if (names && !names.pattern.test(name))
      return [{ offset, message: `the name of ${at} must be ${names.rule}` }];
    return misfits(value, shape.of, at);
  }
  const near = createNearest(Object.keys(members))(name);
  const known = near ? `did you mean ${near}?` : `it may be ${Object.keys(members).join(", ")}`;
  return [{ offset, message: `there is no member ${at}: ${known}` }];
}

function textMisfits(node: Node, { form }: Extract<Shape, { kind: "text" }>, place: string): Misfit[] {
  const { offset } = node;
  if (node.type !== "string") return [{ offset, message: `${place} must be a text` }];
  if (!form || form.pattern.test(String(node.value))) return [];
  return [{ offset, message: `${place} is ${JSON.stringify(node.value)}, but must be ${form.rule}` }];
}

/** A setting's value as in an environment variable; undefined for an impossible value. */
function settingText(node: Node): string | undefined {
  if (node.type !== "array") return isScalar(node) ? String(node.value) : undefined;
  const items = node.children ?? [];
  return items.every((item) => item.type === "string") ? items.map((item) => item.value).join() : undefined;
}

const isScalar = ({ type }: Node) => type === "string" || type === "number" || type === "boolean";
