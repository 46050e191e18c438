import { type AnyNode, type Node, Parser, type Program } from "acorn";
import { moduleSyntax, NOT_BUNDLED } from "./module-syntax.ts";
import { boundNames, declaredBy, parseScript, walk } from "./parse.ts";

const MAY_ASK = /\b(?:import|export|exports|require)\b/;

/**
 * Whether a script imports other files, or exports values to them, so that it must be bundled. False for a script that
 * checks first (`typeof require`), as libraries do that are pasted into a script.
 */
export function isModule(source: string): boolean {
  if (!MAY_ASK.test(source)) return false;
  let isOne = false;
  const script = parseScript(source, (at) => {
    isOne = moduleSyntax(source, at)?.message === NOT_BUNDLED;
  });
  return script ? usesCommonJs(script) : isOne;
}

/** The variables of CommonJS modules that scripts do not have. */
const OF_COMMON_JS = new Set(["require", "module", "exports", "define"]);

function usesCommonJs(script: Program): boolean {
  let uses = false;
  let isForBoth = false;
  const enter = (node: AnyNode) => {
    if (declaredBy(node).some(({ name }) => OF_COMMON_JS.has(name))) isForBoth = true;
    if (node.type === "UnaryExpression" && node.operator === "typeof" && isOfCommonJs(node.argument))
      isForBoth = true;
    if (isRequire(node) || isExports(node)) uses = true;
  };
  walk(script, [{ enter }]);
  return uses && !isForBoth;
}

const isNamed = (node: AnyNode, name: string) => node.type === "Identifier" && node.name === name;

function isOfCommonJs(node: AnyNode): boolean {
  if (node.type === "MemberExpression") return isOfCommonJs(node.object);
  return node.type === "Identifier" && OF_COMMON_JS.has(node.name);
}

function isRequire(node: AnyNode): boolean {
  if (node.type !== "CallExpression" || !isNamed(node.callee, "require")) return false;
  const [what] = node.arguments;
  return what?.type === "Literal" && typeof what.value === "string";
}

/** `module.exports`, and assignments to members of `exports`. */
function isExports(node: AnyNode): boolean {
  if (node.type === "MemberExpression")
    return isNamed(node.object, "module") && isNamed(node.property, "exports");
  if (node.type !== "AssignmentExpression" || node.left.type !== "MemberExpression") return false;
  return isNamed(node.left.object, "exports");
}

/**
 * The handlers that a file creates at its top level and does not export, in order. Empty for a text with syntax errors.
 */
export function ownHandlers(source: string): string[] {
  const program = parseModule(source) ?? parseScript(source);
  const made: string[] = [];
  const exported = new Set<string>();
  for (const statement of program?.body ?? []) {
    if (statement.type === "ExportNamedDeclaration")
      for (const { exported: name } of statement.specifiers)
        exported.add(name.type === "Identifier" ? name.name : String(name.value));
    if (statement.type === "VariableDeclaration")
      for (const { id, init } of statement.declarations)
        if (isNewHandler(init)) made.push(...boundNames(id).map(({ name }) => name));
  }
  return made.filter((name) => !exported.has(name));
}

function parseModule(source: string): Program | undefined {
  try {
    return Parser.parse(source, { ecmaVersion: "latest", sourceType: "module" });
  } catch (thrown) {
    if (thrown instanceof SyntaxError || thrown instanceof RangeError) return undefined;
    throw thrown;
  }
}

function isNewHandler(value: Node | null | undefined): boolean {
  const node = value as AnyNode | null | undefined;
  if (node?.type !== "NewExpression" || node.callee.type !== "MemberExpression") return false;
  return isNamed(node.callee.property, "NewEventHandler");
}
