import type { AnyNode, Identifier, MemberExpression, Node } from "acorn";
import { IDENTIFIER } from "../runtime/identifiers.ts";
import { boundNames, type Visitor } from "./parse.ts";

/** How likely it is that a name gets its handler at a position. */
const MENTIONED = 0;
const ASSIGNED = 1;
const MADE = 2;

const MAX_CHARS = 256;

/**
 * Finds every name, or path such as `ns.handler`, to which a script may assign a handler, with its most likely
 * position. The sandbox determines which of them are handlers; names that are computed at run time are not found.
 */
export function createNameReader(): Visitor & {
  names(): Map<string, number>;
  /** The global variables that the script declares with `let`, `const` and `class`. */
  declared: string[];
} {
  const declared: string[] = [];
  const found = new Map<string, { rank: number; at: number }>();
  const note = (name: string, rank: number, at: number) => {
    const known = found.get(name);
    if (name.length <= MAX_CHARS && (!known || rank > known.rank)) found.set(name, { rank, at });
  };
  return {
    declared,
    enter(node, ancestors) {
      if (ancestors.length === 1) for (const name of lexicalNames(node)) declared.push(name);
      switch (node.type) {
        case "VariableDeclarator":
          for (const { name, start } of boundNames(node.id)) note(name, rankOf(node.init), start);
          break;
        case "AssignmentExpression":
          for (const name of targets(node.left)) note(name, rankOf(node.right), node.start);
          break;
        case "Property":
          if (node.key.type === "Identifier") note(node.key.name, MENTIONED, node.start);
          break;
        case "Literal":
          if (isName(node.value)) note(node.value, MENTIONED, node.start);
      }
    },
    names: () => new Map([...found].map(([name, { at }]) => [name, at])),
  };
}

function lexicalNames(statement: AnyNode): string[] {
  if (statement.type === "ClassDeclaration") return statement.id ? [statement.id.name] : [];
  if (statement.type !== "VariableDeclaration" || statement.kind === "var") return [];
  return statement.declarations.flatMap(({ id }) => boundNames(id).map(({ name }) => name));
}

function rankOf(value: Node | null | undefined): number {
  if (!value) return MENTIONED;
  return value.type === "NewExpression" ? MADE : ASSIGNED;
}

/** For `a.b.c = …` the whole path, and `c` alone, since the part before it may be the global object. */
function targets(left: AnyNode): string[] {
  if (left.type !== "MemberExpression") return boundNames(left).map(({ name }) => name);
  const last = memberName(left);
  const path = pathOf(left);
  return [path, last].filter((name) => name !== undefined);
}

function memberName({ property, computed }: MemberExpression): string | undefined {
  if (!computed) return property.type === "Identifier" ? property.name : undefined;
  return property.type === "Literal" && isName(property.value) ? property.value : undefined;
}

function pathOf(member: MemberExpression): string | undefined {
  const parts: string[] = [];
  let node: Node = member;
  for (; node.type === "MemberExpression"; node = (node as MemberExpression).object) {
    const name = memberName(node as MemberExpression);
    if (name === undefined || parts.length === MAX_CHARS) return undefined;
    parts.push(name);
  }
  if (node.type !== "Identifier") return undefined;
  return [...parts, (node as Identifier).name].reverse().join(".");
}

const isName = (value: unknown): value is string =>
  typeof value === "string" && value.length <= MAX_CHARS && IDENTIFIER.test(value);
