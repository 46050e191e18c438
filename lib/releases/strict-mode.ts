import type { AnyNode } from "acorn";
import type { Finding, Visitor } from "./parse.ts";

/** An assignment that throws unless there is a global variable with its name when it runs. */
export interface Undeclared extends Finding {
  name: string;
}

/** Finds code that fails only because "use strict" takes effect here: the gateway's engine ignores it. */
export function createStrictReader(): Visitor & {
  findings: Finding[];
  /** Assignments to names that the script does not declare. */
  undeclared(declared: Set<string>): Undeclared[];
} {
  const assigned = new Map<string, number>();
  const findings: Finding[] = [];
  /** Whether each enclosing function is strict. */
  const strict: boolean[] = [];
  return {
    findings,
    enter(node) {
      if (isStrictScope(node)) strict.push(strict.at(-1) === true || saysStrict(node));
      if (!strict.at(-1)) return;
      const name = assignedBy(node);
      if (name !== undefined && !assigned.has(name)) assigned.set(name, node.start);
      if (isCallee(node) && findings.length === 0)
        findings.push({
          at: node.start,
          message: `${HOLDS}: arguments.callee throws; give the function a name`,
        });
    },
    leave(node) {
      if (isStrictScope(node)) strict.pop();
    },
    undeclared: (declared) =>
      [...assigned]
        .filter(([name]) => !declared.has(name))
        .map(([name, at]) => ({ name, at, message: assigning(name) })),
  };
}

const HOLDS = `"use strict" holds here, though not in the gateway`;
const assigning = (name: string) =>
  `${HOLDS}: assigning to ${name}, which is not declared, throws; write var ${name}`;

const isStrictScope = ({ type }: AnyNode) =>
  type === "Program" ||
  type === "FunctionDeclaration" ||
  type === "FunctionExpression" ||
  type === "ArrowFunctionExpression";

function saysStrict(node: AnyNode): boolean {
  const body = node.type === "Program" ? node.body : bodyOf(node);
  for (const statement of body) {
    if (statement.type !== "ExpressionStatement" || statement.directive === undefined) return false;
    if (statement.directive === "use strict") return true;
  }
  return false;
}

function bodyOf(node: AnyNode) {
  const isFunction =
    node.type === "FunctionDeclaration" ||
    node.type === "FunctionExpression" ||
    node.type === "ArrowFunctionExpression";
  return isFunction && node.body.type === "BlockStatement" ? node.body.body : [];
}

/** Operators that read the name first, such as `+=`, throw in the gateway too. */
function assignedBy(node: AnyNode): string | undefined {
  if (node.type === "AssignmentExpression" && node.operator === "=" && node.left.type === "Identifier")
    return node.left.name;
  const isLoop = node.type === "ForInStatement" || node.type === "ForOfStatement";
  return isLoop && node.left.type === "Identifier" ? node.left.name : undefined;
}

const isCallee = (node: AnyNode) =>
  node.type === "MemberExpression" &&
  node.object.type === "Identifier" &&
  node.object.name === "arguments" &&
  node.property.type === "Identifier" &&
  node.property.name === "callee";
