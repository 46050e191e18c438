import type { AnyNode, FunctionDeclaration, Identifier, Program } from "acorn";
import { boundNames, declaredBy, type Finding, type Visitor, walk } from "./parse.ts";

/**
 * Functions that are declared in a block and used outside of it. The gateway's engine creates them when the enclosing
 * function starts; in QuickJS they do not exist before the block runs. A name that is also declared in another way is
 * ignored, so that there are no false warnings.
 */
export function blockFunctions(program: Program, declarations: Declarations): Finding[] {
  const { blocks, scopes, certain, declared } = declarations;
  if (blocks.size === 0) return [];
  const open = { blocks: new Map<string, number>(), scopes: new Map<string, number>() };
  const functions: AnyNode[] = [];
  const found = new Map<string, number>();

  function isTooEarly({ name, start }: Identifier): boolean {
    if (declared.has(name) || open.blocks.get(name) || !open.scopes.get(name)) return false;
    const block = certain.get(name);
    // The functions beside such a block are assumed to be called after it has run.
    return !block || (start < block.end && functions.at(-1) === block.scope);
  }

  const visitor: Visitor = {
    enter(node, ancestors) {
      count(open.blocks, blocks.get(node), 1);
      count(open.scopes, scopes.get(node), 1);
      if (isScope(node)) functions.push(node);
      if (node.type !== "Identifier" || found.has(node.name)) return;
      if (isReference(node, ancestors.at(-1)) && isTooEarly(node)) found.set(node.name, node.start);
    },
    leave(node) {
      count(open.blocks, blocks.get(node), -1);
      count(open.scopes, scopes.get(node), -1);
      if (isScope(node)) functions.pop();
    },
  };
  walk(program, [visitor]);
  return [...found].map(([name, at]) => ({ at, message: messageOf(name) }));
}

const messageOf = (name: string) =>
  `function ${name} is declared in a block and is not there before that block runs; the gateway's engine makes it ` +
  `when the function around the block starts: declare it outside of the block`;

/** The declarations of a script. */
export interface Declarations {
  /** The functions that each block declares for itself, and those for the enclosing function or script. */
  blocks: Map<AnyNode, string[]>;
  scopes: Map<AnyNode, string[]>;
  /** Functions whose only block always runs when the enclosing function does, with the block's end. */
  certain: Map<string, { scope: AnyNode; end: number } | undefined>;
  /** All names that are declared in any other way in the script. */
  declared: Set<string>;
}

/** A visitor for `walk`; its result is complete after the walk. */
export function createDeclarationReader(): Visitor & Declarations {
  const found: Declarations = {
    blocks: new Map(),
    scopes: new Map(),
    certain: new Map(),
    declared: new Set(),
  };
  const functions: AnyNode[] = [];

  function noteBlockFunction(node: FunctionDeclaration, block: AnyNode, ancestors: readonly AnyNode[]): void {
    const scope = functions.at(-1) ?? block;
    const { name } = node.id;
    for (const parameter of node.params.flatMap(boundNames)) found.declared.add(parameter.name);
    add(found.blocks, block, name);
    add(found.scopes, scope, name);
    const alone = !found.certain.has(name) && alwaysRuns(ancestors);
    found.certain.set(name, alone ? { scope, end: block.end } : undefined);
  }

  return {
    ...found,
    enter(node, ancestors) {
      const block = ancestors.at(-1);
      if (node.type === "FunctionDeclaration" && block && !isBody(ancestors))
        noteBlockFunction(node as FunctionDeclaration, block, ancestors);
      else for (const { name } of declaredBy(node)) found.declared.add(name);
      if (isScope(node)) functions.push(node);
    },
    leave(node) {
      if (isScope(node)) functions.pop();
    },
  };
}

const SCOPES = new Set([
  "Program",
  "FunctionDeclaration",
  "FunctionExpression",
  "ArrowFunctionExpression",
  "StaticBlock",
]);
const isScope = ({ type }: AnyNode) => SCOPES.has(type);

/** Whether a declaration at this position is for a whole function or script. */
function isBody(ancestors: readonly AnyNode[]): boolean {
  const [around, parent] = [ancestors.at(-2), ancestors.at(-1)];
  if (!parent || parent.type === "Program" || parent.type === "StaticBlock") return true;
  return parent.type === "BlockStatement" && around !== undefined && isScope(around);
}

/** Whether the innermost block is not inside a condition, loop or handler of its function. */
function alwaysRuns(ancestors: readonly AnyNode[]): boolean {
  for (let at = ancestors.length - 1; at > 0; at -= 1) {
    const [node, around] = [ancestors[at], ancestors[at - 1]];
    if (!node || !around || isScope(node)) return true;
    if (node.type === "TryStatement") continue;
    if (node.type !== "BlockStatement") return false;
    if (around.type === "TryStatement" && around.block !== node) return false;
  }
  return true;
}

function isReference(node: Identifier, parent: AnyNode | undefined): boolean {
  switch (parent?.type) {
    case "MemberExpression":
      return parent.object === node || parent.computed;
    case "Property":
      return parent.value === node || parent.computed;
    case "MethodDefinition":
    case "PropertyDefinition":
      return parent.computed;
    case "LabeledStatement":
    case "BreakStatement":
    case "ContinueStatement":
    case "FunctionDeclaration":
    case "FunctionExpression":
    case "ClassDeclaration":
    case "ClassExpression":
      return false;
    default:
      return true;
  }
}

function add(lists: Map<AnyNode, string[]>, node: AnyNode, name: string): void {
  const list = lists.get(node);
  if (list) list.push(name);
  else lists.set(node, [name]);
}

function count(counts: Map<string, number>, names: string[] | undefined, by: 1 | -1): void {
  for (const name of names ?? []) counts.set(name, (counts.get(name) ?? 0) + by);
}
