import { NO_MODULES } from "../runtime/worker/failures.ts";
import type { Finding, Visitor } from "./parse.ts";

/** The message for a file that was uploaded unbundled. */
export const BUNDLED = "gatehook push makes one script of a file of handlers/ with all that it imports";
/** The message for `import` and `export`. */
export const NOT_BUNDLED = `${NO_MODULES}; ${BUNDLED}`;
/** The message for `await` outside of an async function. */
export const NO_AWAIT = "await works only inside an async function: a script is not a module";

/** Module syntax at the position of the parser's first mistake. */
export function moduleSyntax(source: string, mistakeAt: number): Finding | undefined {
  const before = source.slice(Math.max(0, mistakeAt - NEAR), mistakeAt);
  const after = source.slice(mistakeAt, mistakeAt + NEAR);
  for (const [message, next, last] of FORMS) {
    if (next.test(after)) return { at: mistakeAt, message };
    const found = last.exec(before);
    if (found) return { at: mistakeAt - before.length + found.index, message };
  }
  return undefined;
}

const NEAR = 100;

/** The text of the line after the mistake, or before it. */
const FORMS: [message: string, next: RegExp, last: RegExp][] = [
  [NOT_BUNDLED, /^(import|export)\b/, /\bimport[ \t]+$/],
  [NO_AWAIT, /^await\b/, /\bawait[ \t]+$/],
];

/** Finds each `import()`, which the engine accepts but never executes. */
export function createImportReader(): Visitor & { findings: Finding[] } {
  const findings: Finding[] = [];
  return {
    findings,
    enter({ type, start }) {
      if (type === "ImportExpression") findings.push({ at: start, message: NO_MODULES });
    },
  };
}
