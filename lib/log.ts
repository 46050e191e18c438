/** One JSON line per fact. Fields never hold a session's content, a token or a header's value. */
export interface Log {
  info(message: string, fields: Record<string, unknown>): void;
  warn(message: string, fields: Record<string, unknown>): void;
  error(message: string, fields: Record<string, unknown>): void;
}

/** A log with one more level, which is only printed on demand. */
export interface DebugLog extends Log {
  /** For lines that are written often and needed seldom. */
  debug(message: string, fields: Record<string, unknown>): void;
}
