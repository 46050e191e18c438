/**
 * Every way gatehook refuses or fails, with the HTTP status that an edge answers for it.
 * Callers and tests match the code, never the text.
 */
const STATUS = {
  "event-invalid": 400,
  "event-too-large": 413,
  "path-unknown": 404,
  "method-invalid": 405,
  "token-invalid": 401,
  "api-unknown": 404,
  "json-invalid": 400,
  "request-invalid": 400,
  "session-invalid": 400,
  "session-refused": 403,
  "session-missing": 404,
  "session-gone": 409,
  "session-stale": 409,
  "session-mismatch": 412,
  "session-too-large": 413,
  "session-unfit": 422,
  "definition-invalid": 422,
  "definition-secret": 422,
  "template-invalid": 422,
  "template-failed": 422,
  "webhook-failed": 502,
  "webhook-gone": 410,
  "webhook-unknown": 404,
  "release-invalid": 422,
  "release-missing": 503,
  "release-conflict": 409,
  "event-missing": 404,
  "read-only": 403,
  "dead-letter-missing": 404,
  "queue-failed": 502,
  "spool-full": 503,
  "spool-failed": 503,
  "spool-locked": 409,
  "http-invalid": 400,
  "http-refused": 403,
  "http-failed": 502,
  "http-too-large": 502,
  "storage-failed": 400,
  "runtime-failed": 500,
  "not-recorded": 422,
  "audit-failed": 503,
  "config-unresolved": 422,
  "commit-impossible": 422,
  "commit-failed": 500,
  "dependency-failed": 503,
  "format-unknown": 503,
  "setting-invalid": 500,
  "local-failed": 500,
  "deploy-failed": 500,
} as const;

/**
 * The codes of `AppError`. `AppError.status` is the HTTP status of each; docs, logs, metrics and `--json` name them.
 */
export type ErrorCode = keyof typeof STATUS;

/** The one error of this project; `message` is fit for the reader, `cause` keeps what led to it. */
export class AppError extends Error {
  readonly code: ErrorCode;
  /** The input field at fault, where there is one. */
  readonly field: string | undefined;

  constructor(code: ErrorCode, message: string, options?: ErrorOptions & { field?: string }) {
    super(message, options);
    this.name = "AppError";
    this.code = code;
    this.field = options?.field;
  }

  get status(): number {
    return STATUS[this.code];
  }
}

/** The text of anything that was thrown. */
export function errorText(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}
