/** Why DynamoDB did not make a transaction true, by what is to be done about it. */
export type Refusal =
  /** Items were not as they had been read; nothing was written. */
  | { kind: "changed"; indexes: number[] }
  /** Cancelled for the moment only (another transaction on the same item, throttling); nothing was written. */
  | { kind: "cancelled" }
  /** Nobody knows whether it was written: no answer, an internal error, or it is still under way. */
  | { kind: "unknown" }
  /** It will never be taken: too large, or no item. */
  | { kind: "unfit"; message: string }
  /** Anything else, such as a missing permission or table: repeating does not help now. */
  | { kind: "broken" };

interface Thrown {
  name?: string;
  message?: string;
  CancellationReasons?: { Code?: string; Message?: string }[];
  $metadata?: { httpStatusCode?: number };
}

const PASSING = new Set(["TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"]);
const UNFIT = new Set(["ValidationError", "ItemCollectionSizeLimitExceeded"]);
const THROTTLED = new Set([
  "ThrottlingException",
  "ProvisionedThroughputExceededException",
  "RequestLimitExceeded",
  "TransactionInProgressException",
]);

/** https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html#API_TransactWriteItems_Errors */
export function refusalOf(thrown: unknown): Refusal {
  const { name = "", message = "", CancellationReasons, $metadata } = thrown as Thrown;
  if (name === "TransactionCanceledException") return cancellation(CancellationReasons ?? []);
  if (name === "ValidationException") return { kind: "unfit", message };
  const status = $metadata?.httpStatusCode;
  if (THROTTLED.has(name) || status === undefined || status >= 500) return { kind: "unknown" };
  return { kind: "broken" };
}

/** The reasons stand in the order of the items; an item that was not at fault has the code None. */
function cancellation(reasons: { Code?: string; Message?: string }[]): Refusal {
  const codes = reasons.map(({ Code = "None" }) => Code);
  const unfit = reasons.find(({ Code = "" }) => UNFIT.has(Code));
  if (unfit) return { kind: "unfit", message: unfit.Message ?? unfit.Code ?? "" };
  const indexes = codes.flatMap((code, index) => (code === "ConditionalCheckFailed" ? [index] : []));
  if (indexes.length > 0) return { kind: "changed", indexes };
  return codes.some((code) => PASSING.has(code)) ? { kind: "cancelled" } : { kind: "broken" };
}
