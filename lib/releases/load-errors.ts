import type { LoadFault, ScriptError } from "../runtime/protocol.ts";
import { NO_MODULES } from "../runtime/worker/failures.ts";
import { BUNDLED, NO_AWAIT } from "./module-syntax.ts";
import type { ScriptFacts } from "./script-facts.ts";

/**
 * The position in the script itself at which it failed to load, since the error may have been thrown in another script.
 */
export function placeOf({ path, error }: LoadFault): { line?: number; column?: number } {
  for (const line of error.stack.split("\n")) {
    const [, file, row, column] = /\(?([^\s()]+):(\d+):(\d+)\)?$/.exec(line.trim()) ?? [];
    if (file === path) return { line: Number(row), column: Number(column) };
  }
  return {};
}

/** Our own message and position for a script that did not load, if the engine's message does not give the reason. */
export function knownFault(
  fault: LoadFault,
  facts: ScriptFacts | undefined,
): { message: string; line?: number; column?: number } | undefined {
  const { name, message } = fault.error;
  const place = placeOf(fault);
  const found = facts?.moduleSyntax;
  // The engine's error is earlier in the text, or is the same.
  if (name === "SyntaxError" && found && found.line <= (place.line ?? found.line)) return found;
  const [, missing] = (name === "ReferenceError" && /^'(\w+)' is not defined$/.exec(message)) || [];
  const known = missing === undefined ? undefined : MODULE_NAMES.get(missing);
  return known === undefined ? undefined : { ...place, message: known };
}

/** The variables that module loaders give their files. */
const MODULE_NAMES = new Map([
  ["require", `${NO_MODULES}, nor require; ${BUNDLED}`],
  ["module", `${NO_MODULES}, nor module.exports; ${BUNDLED}`],
  ["exports", `${NO_MODULES}, nor exports; ${BUNDLED}`],
  ["await", NO_AWAIT],
]);

/**
 * A note for a load error about syntax that the gateway's engine accepts, appended to the message; "" for other errors.
 */
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

/** The engine's message if it expects the next member or the end of an object. */
const isMissingComma = ({ name, message }: ScriptError) =>
  name === "SyntaxError" && message === "expecting '}'";
