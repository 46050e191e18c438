import type { Probed } from "../runtime/protocol.ts";

const NEW = "new TykJS.TykEventHandlers.NewEventHandler({})";

/** Lists the handlers of a file if one is missing; "" for a file without handlers. */
type Others = (name: string) => string;

/** The problem of a handler, and how to fix it; undefined if there is none. */
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

/** What a script has instead of the required handler. */
export function insteadOf(name: string, others: Others): string {
  return `it has ${others(name) || `none: ${name.includes(".") ? "" : "var "}${name} = ${NEW}`}`;
}
