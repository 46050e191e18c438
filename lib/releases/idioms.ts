import { codeOnly, lineAt } from "./script-text.ts";
import type { Problem } from "./sources.ts";

/**
 * What the gateway's engine (ES5, regular expressions of Go) takes, and a modern one does not, where loading the
 * script does not show it: it fails when an event runs.
 */
export function oldIdioms(file: string, source: string): Problem[] {
  return [...strictMode(file, source), ...goPatterns(file, source)];
}

const STRICT = /(^|[;{}\n])[ \t]*(["'])use strict\2/;

/** The gateway's engine passes over "use strict"; here it holds. */
function strictMode(file: string, source: string): Problem[] {
  if (!STRICT.test(source)) return [];
  const code = codeOnly(source);
  const problems = undeclared(code).map(({ name, index }) => ({
    file,
    line: lineAt(code, index),
    message: `"use strict" holds here, though not in the gateway: assigning to ${name}, which is not declared, throws; write var ${name}`,
  }));
  const callee = /\barguments\s*\.\s*callee\b/.exec(code);
  if (callee) {
    const message = `"use strict" holds here, though not in the gateway: arguments.callee throws; give the function a name`;
    problems.push({ file, line: lineAt(code, callee.index), message });
  }
  return problems;
}

const ASSIGNED = /(?:^|[;{}\n])\s*(?<name>[\p{ID_Start}$_][\p{ID_Continue}$]*)\s*=(?![=>])/gu;

function undeclared(code: string): { name: string; index: number }[] {
  const found = new Map<string, number>();
  for (const { 0: text, groups, index } of code.matchAll(ASSIGNED)) {
    const name = groups?.name ?? "";
    if (!found.has(name) && !isDeclared(code, name)) found.set(name, index + text.indexOf(name));
  }
  return [...found].map(([name, index]) => ({ name, index }));
}

/** Generous: whatever looks like a declaration or a parameter counts, so that no sound script is blamed. */
function isDeclared(code: string, name: string): boolean {
  const word = name.replaceAll("$", "\\$");
  return new RegExp(`(?:\\b(?:var|let|const|function|class)\\s+|[(,]\\s*)${word}(?![\\w$])`, "u").test(code);
}

const IN_TEXT = /\bRegExp\s*\(\s*(?:"((?:\\.|[^"\\\n])*)"|'((?:\\.|[^'\\\n])*)')/g;
const GO_ONLY: [RegExp, string][] = [
  [/\(\?[imsU]+[:)]/, "flags inside the pattern, such as (?i): give them as RegExp's second argument"],
  [/\(\?P</, "(?P<name>…): write (?<name>…)"],
  [/\[\[:\w+:\]\]/, "[[:class:]]: write the characters out"],
  [/\\\\[AzQ]/, "\\A, \\z or \\Q: write ^, $, or escape each character"],
];

function goPatterns(file: string, source: string): Problem[] {
  return [...source.matchAll(IN_TEXT)].flatMap(({ 1: double, 2: single, index }) => {
    const odd = GO_ONLY.find(([pattern]) => pattern.test(double ?? single ?? ""));
    if (!odd) return [];
    const message = `the gateway's engine takes Go's regular expressions, this one JavaScript's, which do not know ${odd[1]}`;
    return [{ file, line: lineAt(source, index), message }];
  });
}
