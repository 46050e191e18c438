import { AppError } from "../errors.ts";

/** An error for a body that is not an event; `field` is the invalid place in it. */
export function invalidEvent(field: string, problem: string): AppError {
  return new AppError("event-invalid", `${field} ${problem}`, { field });
}

/** Calls `work` for one item of an array; an error also names the item. */
export function inItem<T>(index: number, work: () => T): T {
  try {
    return work();
  } catch (thrown) {
    if (!(thrown instanceof AppError)) throw thrown;
    const { code, message, field = "event" } = thrown;
    const at = `[${index}]`;
    const named = message.startsWith(field) ? `${at}.${message}` : `${at}: ${message}`;
    throw new AppError(code, named, { field: `${at}.${field}` });
  }
}
