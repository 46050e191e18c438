import type { Probed } from "../runtime/protocol.ts";
import { listedFor } from "./problems.ts";

const NEW = "new TykJS.TykEventHandlers.NewEventHandler({})";

/** What is wrong with a handler, and how to fix it; `others` are those that its file has. Undefined when nothing is. */
export function handlerFault(name: string, found: Probed, others: string[]): string | undefined {
  switch (found) {
    case "handler":
      return undefined;
    case "missing":
      return `there is no handler ${name}; ${insteadOf(name, others)}`;
    case "no-handler":
      return `${name} has no DoProcessEvent: write ${name} = ${NEW}`;
    case "no-function":
      return `${name} has no function: call ${name}.NewHandler(function (event, context) {…})`;
    case "unreadable":
      return `${name} cannot be looked up: looking takes too long, or too much memory`;
  }
}

/** What a script has in place of the handler that is asked for. */
export function insteadOf(name: string, others: string[]): string {
  if (others.length === 0) return `it has none: ${name.includes(".") ? "" : "var "}${name} = ${NEW}`;
  return `it has ${listedFor(name, others)}`;
}
