/** One JSON line per fact. Fields never hold a session's content, a token or a header's value. */
export interface Log {
  info(message: string, fields: Record<string, unknown>): void;
  warn(message: string, fields: Record<string, unknown>): void;
  error(message: string, fields: Record<string, unknown>): void;
}

/** A log with a further level, which is printed only when it is asked for. */
export interface DebugLog extends Log {
  /** What is said as a rule, and seldom looked for. */
  debug(message: string, fields: Record<string, unknown>): void;
}
