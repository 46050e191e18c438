import { handlerFault, insteadOf } from "../lib/releases/handler-faults.ts";
import { hintFor, knownFault } from "../lib/releases/load-errors.ts";
import { createListedFor } from "../lib/releases/problems.ts";
import { readScript } from "../lib/releases/script-facts.ts";
import { handlerNames } from "../lib/releases/script-warnings.ts";
import type { LoadFault, Probed, Script, ScriptError } from "../lib/runtime/protocol.ts";
import type { Runtime } from "../lib/runtime/runtime.ts";
import { UsageError } from "./terminal/usage.ts";

/** The load error of a script, with advice. */
export function errorOf(fault: LoadFault, scripts: Script[]): ScriptError {
  const facts = readScript(scripts.find(({ path }) => path === fault.path)?.source ?? "");
  const known = knownFault(fault, facts);
  if (known) return { name: "", message: known.message, stack: fault.error.stack };
  return { ...fault.error, message: fault.error.message + hintFor(fault, facts) };
}

/** The first script that loads but cannot work, since it uses `import()`. */
export function importFault(scripts: Script[]): LoadFault | undefined {
  for (const { path, source } of scripts) {
    const [found] = readScript(source).imports;
    if (found)
      return { path, error: { name: "", message: found.message, stack: `    at ${path}:${found.line}\n` } };
  }
  return undefined;
}

/** The name of the script's only handler. Throws a UsageError unless there is one. */
export async function onlyHandler(runtime: Runtime, script: Script): Promise<string> {
  const names = await handlersOf(runtime, script);
  const [only, ...others] = names;
  if (only && others.length === 0) return only;
  throw new UsageError(
    only
      ? `${script.path} defines ${names.join(", ")}: choose one with --handler`
      : `${script.path} defines no handler: var name = new TykJS.TykEventHandlers.NewEventHandler({}). ` +
          "If it does in another way, give the handler's name with --handler",
  );
}

/** The problem of a handler, from the sandbox's information about it. */
export async function faultOfHandler(
  runtime: Runtime,
  script: Script,
  handler: string,
  found: Probed,
): Promise<string> {
  if (found !== "missing") return handlerFault(handler, found, () => "") ?? "";
  const others = createListedFor(await handlersOf(runtime, script));
  return `${script.path} has no handler ${handler}; ${insteadOf(handler, others)}`;
}

async function handlersOf(runtime: Runtime, { source }: Script): Promise<string[]> {
  const { names: shown, declared } = readScript(source);
  const held = [...(await runtime.look()), ...(await runtime.look({ names: [...shown.keys()], declared }))];
  return handlerNames(new Map(held.filter(([, object]) => object > 0))).map(([name]) => name);
}
