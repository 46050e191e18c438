import { type AnyNode, type Identifier, type Node, Parser, type Program } from "acorn";

/**
 * A parser that leaves two checks to the engine, which makes them when it loads the script: finding names that are
 * declared twice takes quadratic time here, and the gateway's regular expressions, which we want to find, would be
 * errors.
 */
const LenientParser = Parser.extend(
  (Base) =>
    class extends Base {
      declareName() {}
      validateRegExpFlags() {}
      validateRegExpPattern() {}
    },
);

/**
 * The script's syntax tree. Undefined if it has syntax errors, or is nested too deeply: loading it gives more details,
 * and `onMistake` is called with the position of the first error.
 */
export function parseScript(source: string, onMistake: (at: number) => void = () => {}): Program | undefined {
  try {
    return LenientParser.parse(source, { ecmaVersion: "latest", allowReturnOutsideFunction: true });
  } catch (thrown) {
    if (thrown instanceof SyntaxError) onMistake((thrown as SyntaxError & { pos: number }).pos);
    else if (!(thrown instanceof RangeError)) throw thrown;
    return undefined;
  }
}

/** A position in a script, and a warning about it. */
export interface Finding {
  at: number;
  message: string;
}

/** Called by `walk`: `enter` before a node's children, `leave` after them. */
export interface Visitor {
  /** `ancestors` are those of the node, the nearest last, valid only during the visit. */
  enter(node: AnyNode, ancestors: readonly AnyNode[]): void;
  leave?(node: AnyNode): void;
}

/** Visits each node in source order, without recursion, since a sum of a megabyte is as deep as it is long. */
export function walk(root: Node, visitors: Visitor[]): void {
  const ancestors: AnyNode[] = [];
  /** The last one is visited next; `undefined` marks the end of the nearest ancestor. */
  const todo: (AnyNode | undefined)[] = [root as AnyNode];
  while (todo.length > 0) {
    const node = todo.pop();
    if (!node) {
      const left = ancestors.pop();
      if (left) for (const { leave } of visitors) leave?.(left);
      continue;
    }
    for (const { enter } of visitors) enter(node, ancestors);
    ancestors.push(node);
    todo.push(undefined);
    pushChildren(node, todo);
  }
}

function pushChildren(node: AnyNode, todo: (AnyNode | undefined)[]): void {
  const children: AnyNode[] = [];
  for (const key in node) {
    const value: unknown = node[key as keyof AnyNode];
    if (isNode(value)) children.push(value);
    else if (Array.isArray(value)) for (const item of value) if (isNode(item)) children.push(item);
  }
  for (let child = children.pop(); child; child = children.pop()) todo.push(child);
}

const isNode = (value: unknown): value is AnyNode =>
  typeof value === "object" && value !== null && typeof (value as Node).type === "string";

/** The variables that a declaration, a parameter or an assignment sets. */
export function boundNames(pattern: Node): Identifier[] {
  const names: Identifier[] = [];
  const todo: (AnyNode | null)[] = [pattern as AnyNode];
  for (let next = todo.pop(); next !== undefined; next = todo.pop()) {
    if (next?.type === "Identifier") names.push(next);
    else if (next?.type === "AssignmentPattern") todo.push(next.left);
    else if (next?.type === "RestElement") todo.push(next.argument);
    else if (next?.type === "Property") todo.push(next.value);
    else if (next?.type === "ArrayPattern") for (const element of next.elements) todo.push(element);
    else if (next?.type === "ObjectPattern") for (const property of next.properties) todo.push(property);
  }
  return names;
}

/** The names that a node declares; a function's parameters belong to it. */
export function declaredBy(node: AnyNode): Identifier[] {
  switch (node.type) {
    case "VariableDeclarator":
      return boundNames(node.id);
    case "CatchClause":
      return node.param ? boundNames(node.param) : [];
    case "FunctionDeclaration":
    case "FunctionExpression":
    case "ArrowFunctionExpression":
      return [...(node.id ? [node.id] : []), ...node.params.flatMap(boundNames)];
    case "ClassDeclaration":
    case "ClassExpression":
      return node.id ? [node.id] : [];
    default:
      return [];
  }
}

/** Returns the line of a position; positions are counted from 0, lines from 1. */
export function createLines(text: string): (index: number) => number {
  const starts = [0];
  for (let at = text.indexOf("\n"); at !== -1; at = text.indexOf("\n", at + 1)) starts.push(at + 1);
  return (index) => {
    let [low, high] = [0, starts.length];
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if ((starts[middle] ?? 0) <= index) low = middle;
      else high = middle;
    }
    return low + 1;
  };
}
