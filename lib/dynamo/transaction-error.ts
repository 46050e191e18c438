/** The reasons of a failed DynamoDB call, by the required reaction. */
export type TransactionError =
  /** Other writers have changed these items, or are changing them; nothing was written. */
  | { kind: "changed"; indexes: number[] }
  /** Cancelled temporarily (throttling); nothing was written. */
  | { kind: "cancelled" }
  /** It is unknown whether it was written: no response, an internal error, or it is still in progress. */
  | { kind: "unknown" }
  /** It will never be accepted: too large, or not a valid item. */
  | { kind: "unfit"; message: string }
  /** No write is accepted, such as without a permission or a table: a retry does not help now. */
  | { kind: "broken" }
  /** An unknown error: it may concern only this call. */
  | { kind: "strange" };

interface Thrown {
  name?: string;
  message?: string;
  code?: unknown;
  cause?: unknown;
  CancellationReasons?: Reason[];
  $metadata?: { httpStatusCode?: number };
}

interface Reason {
  Code?: string;
  Message?: string;
}

const PASSING = new Set(["ThrottlingError", "ProvisionedThroughputExceeded"]);
/** Errors of a write of one item. */
const CHANGED = new Set(["ConditionalCheckFailedException", "TransactionConflictException"]);
const UNFIT = new Set(["ValidationError", "ItemCollectionSizeLimitExceeded"]);
const THROTTLED = new Set([
  "ThrottlingException",
  "ProvisionedThroughputExceededException",
  "RequestLimitExceeded",
  "LimitExceededException",
  "TransactionInProgressException",
]);
/** Errors of the account, the role or the table. */
const BROKEN = new Set([
  "AccessDeniedException",
  "ResourceNotFoundException",
  "UnrecognizedClientException",
  "MissingAuthenticationTokenException",
  "IncompleteSignatureException",
  "InvalidSignatureException",
  "ExpiredTokenException",
  "ExpiredToken",
  "CredentialsProviderError",
  "TokenProviderError",
  "ResourceInUseException",
  "KMSAccessDeniedException",
  "KMSDisabledException",
  "KMSInvalidStateException",
  "KMSNotFoundException",
  "KMSThrottlingException",
]);
const NO_ANSWER = new Set(["TimeoutError", "RequestTimeout", "RequestTimeoutException", "AbortError"]);

/** https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html#API_TransactWriteItems_Errors */
export function transactionErrorOf(thrown: unknown): TransactionError {
  const { name = "", message = "", CancellationReasons, $metadata } = (thrown ?? {}) as Thrown;
  if (name === "TransactionCanceledException") return cancellation(CancellationReasons ?? []);
  if (CHANGED.has(name)) return { kind: "changed", indexes: [0] };
  if (name === "ValidationException") return { kind: "unfit", message };
  if (THROTTLED.has(name) || ($metadata?.httpStatusCode ?? 0) >= 500) return { kind: "unknown" };
  if (BROKEN.has(name)) return { kind: "broken" };
  return wasNotAnswered(thrown) ? { kind: "unknown" } : { kind: "strange" };
}

/** The connection failed, in the error or in its cause: Node gives such errors a code like ECONNRESET. */
function wasNotAnswered(thrown: unknown): boolean {
  for (let error = thrown as Thrown | undefined, depth = 0; error && depth < 5; depth += 1) {
    if (NO_ANSWER.has(error.name ?? "")) return true;
    if (typeof error.code === "string" && /^(E[A-Z]{2,}|UND_ERR)/.test(error.code))
      return !OURS.test(error.code);
    error = error.cause as Thrown | undefined;
  }
  return false;
}

/** Node's errors for invalid arguments, such as ERR_INVALID_ARG_TYPE, are not network errors. */
const OURS = /^ERR_/;

/** The reasons are in the order of the items; an item that did not fail has the code None. */
function cancellation(reasons: Reason[]): TransactionError {
  const unfit = reasons.find(({ Code = "" }) => UNFIT.has(Code));
  if (unfit) return { kind: "unfit", message: unfit.Message ?? unfit.Code ?? "" };
  const indexes = reasons.flatMap((reason, index) => (isHeld(reason) ? [index] : []));
  if (indexes.length > 0) return { kind: "changed", indexes };
  if (reasons.some(({ Code = "" }) => PASSING.has(Code))) return { kind: "cancelled" };
  return reasons.some(({ Code = "" }) => Code === "AccessDenied") ? { kind: "broken" } : { kind: "strange" };
}

/**
 * The item has changed since it was read, another transaction is in progress on it, or its partition is overloaded:
 * this concerns only the events of this item.
 */
function isHeld({ Code, Message = "" }: Reason): boolean {
  if (Code === "ConditionalCheckFailed" || Code === "TransactionConflict") return true;
  return PASSING.has(Code ?? "") && Message.endsWith("KeyRangeThroughputExceeded");
}
