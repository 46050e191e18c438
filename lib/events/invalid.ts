import { AppError } from "../errors.ts";

/** A body that is not an event; `field` is the place in it that is at fault. */
export function invalidEvent(field: string, problem: string): AppError {
  return new AppError("event-invalid", `${field} ${problem}`, { field });
}

/** Does the work for one item of an array; an error names the item too. */
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
