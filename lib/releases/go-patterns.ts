import type { CallExpression, Literal, NewExpression, Node, TemplateLiteral } from "acorn";
import type { Finding, Visitor } from "./parse.ts";

/**
 * Finds regular expressions, in literals and in strings, that the gateway's engine passes to Go, and that are invalid
 * or mean something else in JavaScript.
 */
export function createPatternReader(): Visitor & { findings: Finding[] } {
  const findings: Finding[] = [];
  const note = (node: Node, pattern: string | undefined) => {
    const remedy = pattern === undefined ? undefined : remedyFor(pattern);
    if (!remedy) return;
    const message = `the gateway's engine takes Go's regular expressions, this one JavaScript's, which do not know ${remedy}`;
    findings.push({ at: node.start, message });
  };
  return {
    findings,
    enter(node) {
      if (node.type === "Literal") note(node, node.regex?.pattern);
      if ((node.type === "CallExpression" || node.type === "NewExpression") && makesPattern(node))
        note(node, textOf(node.arguments[0]));
    },
  };
}

/** These two methods of a string make a regular expression from another string. */
const METHODS = new Set(["match", "search"]);

function makesPattern({ callee }: CallExpression | NewExpression): boolean {
  if (callee.type === "Identifier") return callee.name === "RegExp";
  if (callee.type !== "MemberExpression" || callee.property.type !== "Identifier") return false;
  return METHODS.has(callee.property.name);
}

function textOf(node: Node | undefined): string | undefined {
  if (node?.type === "TemplateLiteral") {
    const { quasis, expressions } = node as TemplateLiteral;
    return expressions.length === 0 ? (quasis[0]?.value.cooked ?? undefined) : undefined;
  }
  const value = node?.type === "Literal" ? (node as Literal).value : undefined;
  return typeof value === "string" ? value : undefined;
}

const GROUP = /\(\?(?:(?<named>P<)|(?<flags>[imsU]*(?:-[imsU]+)?)(?<end>[:)]))/y;
const POSIX =
  /\[:\^?(?:alnum|alpha|ascii|blank|cntrl|digit|graph|lower|print|punct|space|upper|word|xdigit):\]/y;

/** Syntax of patterns that only Go supports, and what to write instead. */
function remedyFor(pattern: string): string | undefined {
  let inSet = false;
  for (let at = 0; at < pattern.length; at += 1) {
    const letter = pattern[at];
    if (letter === "\\") at += 1;
    else if (inSet && letter === "]") inSet = false;
    else if (inSet && matchAt(POSIX, pattern, at)) return "[[:class:]]: write the characters out";
    else if (!inSet && letter === "[") inSet = true;
    else if (!inSet && letter === "(") {
      const { named, flags = "", end } = matchAt(GROUP, pattern, at)?.groups ?? {};
      if (named) return "(?P<name>…): write (?<name>…)";
      if (flags && (end === ")" || flags.includes("U")))
        return "flags inside the pattern, such as (?i): give them behind it, as in /…/i or RegExp's second argument";
    }
  }
  return undefined;
}

function matchAt(sticky: RegExp, text: string, at: number): RegExpExecArray | null {
  sticky.lastIndex = at;
  return sticky.exec(text);
}
