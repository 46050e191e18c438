import type { LoadFault, ScriptError } from "../runtime/protocol.ts";
import type { ScriptFacts } from "./script-facts.ts";

/** The place in the script itself at which it failed to load: the error may have been thrown in another. */
export function placeOf({ path, error }: LoadFault): { line?: number; column?: number } {
  for (const line of error.stack.split("\n")) {
    const [, file, row, column] = /\(?([^\s()]+):(\d+):(\d+)\)?$/.exec(line.trim()) ?? [];
    if (file === path) return { line: Number(row), column: Number(column) };
  }
  return {};
}

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
