import type { LoadFault, ScriptError } from "../runtime/protocol.ts";
import { NO_MODULES } from "../runtime/worker/failures.ts";
import { BUNDLED, NO_AWAIT } from "./module-syntax.ts";
import type { ScriptFacts } from "./script-facts.ts";

/** The place in the script itself at which it failed to load: the error may have been thrown in another. */
export function placeOf({ path, error }: LoadFault): { line?: number; column?: number } {
  for (const line of error.stack.split("\n")) {
    const [, file, row, column] = /\(?([^\s()]+):(\d+):(\d+)\)?$/.exec(line.trim()) ?? [];
    if (file === path) return { line: Number(row), column: Number(column) };
  }
  return {};
}

/** Why a script did not load, in words and a place of our own: where the engine's say nothing of the reason. */
export function knownFault(
  fault: LoadFault,
  facts: ScriptFacts | undefined,
): { message: string; line?: number; column?: number } | undefined {
  const { name, message } = fault.error;
  const place = placeOf(fault);
  const found = facts?.moduleSyntax;
  // The engine's own mistake comes first in the text, or is this one.
  if (name === "SyntaxError" && found && found.line <= (place.line ?? found.line)) return found;
  const [, missing] = (name === "ReferenceError" && /^'(\w+)' is not defined$/.exec(message)) || [];
  const known = missing === undefined ? undefined : MODULE_NAMES.get(missing);
  return known === undefined ? undefined : { ...place, message: known };
}

/** What the loaders of modules give their files. */
const MODULE_NAMES = new Map([
  ["require", `${NO_MODULES}, nor require; ${BUNDLED}`],
  ["module", `${NO_MODULES}, nor module.exports; ${BUNDLED}`],
  ["exports", `${NO_MODULES}, nor exports; ${BUNDLED}`],
  ["await", NO_AWAIT],
]);

/** What the gateway's engine would have taken in the place of a load error, to go behind its text; "" for others. */
export function hintFor(fault: LoadFault, facts: ScriptFacts | undefined): string {
  if (isMissingComma(fault.error))
    return (
      "; is a comma missing before it? The gateway's engine lets one be left out between the members of an object, " +
      "this one does not"
    );
  const { line } = placeOf(fault);
  const pattern = fault.error.name === "SyntaxError" && facts?.patterns.find((note) => note.line === line);
  return pattern ? `; ${pattern.message}` : "";
}

/** The engine's words where the next member of an object, or its end, should be. */
const isMissingComma = ({ name, message }: ScriptError) =>
  name === "SyntaxError" && message === "expecting '}'";
