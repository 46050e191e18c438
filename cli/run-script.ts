import { hintFor } from "../lib/releases/load-errors.ts";
import { readScript } from "../lib/releases/script-facts.ts";
import { handlerNames } from "../lib/releases/script-warnings.ts";
import type { LoadFault, ScriptError } from "../lib/runtime/protocol.ts";
import type { Runtime } from "../lib/runtime/runtime.ts";
import { UsageError } from "./usage.ts";

/** The error with which a script did not load, and what helps. */
export function errorOf(fault: LoadFault, source: string): ScriptError {
  return { ...fault.error, message: fault.error.message + hintFor(fault, readScript(source)) };
}

/** The name of the script's handler, which is asked of the sandbox. Throws a UsageError unless there is one. */
export async function onlyHandler(runtime: Runtime, script: string, source: string): Promise<string> {
  const { names: shown, declared } = readScript(source);
  const held = [...(await runtime.look()), ...(await runtime.look({ names: [...shown.keys()], declared }))];
  const names = handlerNames(new Map(held.filter(([, object]) => object > 0))).map(([name]) => name);
  const [only, ...others] = names;
  if (only && others.length === 0) return only;
  throw new UsageError(
    only
      ? `${script} defines ${names.join(", ")}: choose one with --handler`
      : `${script} defines no handler: var name = new TykJS.TykEventHandlers.NewEventHandler({}). ` +
          "If it does in another way, give the handler's name with --handler",
  );
}
