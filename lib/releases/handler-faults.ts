import type { Probed } from "../runtime/protocol.ts";

const NEW = "new TykJS.TykEventHandlers.NewEventHandler({})";

/** Lists the handlers that a file has, in place of a missing one; "" for a file without handlers. */
type Others = (name: string) => string;

/** What is wrong with a handler, and how to fix it; undefined when nothing is. */
export function handlerFault(name: string, found: Probed, others: Others): string | undefined {
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
export function insteadOf(name: string, others: Others): string {
  return `it has ${others(name) || `none: ${name.includes(".") ? "" : "var "}${name} = ${NEW}`}`;
}
