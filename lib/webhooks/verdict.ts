/** How one attempt to deliver a webhook ended. */
export type Attempt =
  | { status: number; retryAfter?: string | undefined }
  /** No complete response: connection refused, unreachable, cut off, or too late. */
  | { failure: string };

/** `gone` switches the webhook off; `retry` may have the delay that the target asks for, in seconds. */
export type Verdict =
  | { kind: "done" }
  | { kind: "gone"; reason: string }
  | { kind: "retry"; reason: string; retryAfter?: number };

/**
 * The result of an attempt, as specified by Standard Webhooks: 2xx is success, 410 means stop, and everything else is
 * retried, including redirects, which are not followed, and 4xx, since receivers answer these during a deployment or
 * with a wrong secret.
 */
export function verdictOf(attempt: Attempt, now: number): Verdict {
  if ("failure" in attempt) return { kind: "retry", reason: attempt.failure };
  const { status, retryAfter } = attempt;
  if (status >= 200 && status < 300) return { kind: "done" };
  if (status === 410) return { kind: "gone", reason: "the target answered 410: it takes no more webhooks" };
  const asked = asksToWait(status) ? retryAfterSeconds(retryAfter, now) : undefined;
  const isRedirect = status >= 300 && status < 400;
  const reason = `the target answered ${status}${isRedirect ? ", and redirects are not followed" : ""}`;
  return { kind: "retry", reason, ...(asked !== undefined && { retryAfter: asked }) };
}

const asksToWait = (status: number) => status === 429 || status >= 500;

/** The queue's longest delay: 12 hours. */
export const MAX_DELAY_SECONDS = 43_200;

const HTTP_DATE = /^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT$/;

/**
 * The seconds in a Retry-After header, up to the longest delay; undefined if it is not valid. `now` in milliseconds
 * since 1970. https://www.rfc-editor.org/rfc/rfc9110#field.retry-after
 */
export function retryAfterSeconds(header: string | undefined, now: number): number | undefined {
  const text = header?.trim() ?? "";
  if (/^\d+$/.test(text)) return Math.min(Number(text), MAX_DELAY_SECONDS);
  const date = HTTP_DATE.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(date)) return undefined;
  return Math.min(Math.max(0, Math.ceil((date - now) / 1000)), MAX_DELAY_SECONDS);
}

/**
 * The longest delay after each attempt that failed, in seconds. Eleven attempts over 14 to 28 hours: long enough for a
 * receiver that is repaired the next morning.
 */
export const DELAYS = [5, 30, 120, 600, 1_800, 3_600, 7_200, 14_400, 28_800, MAX_DELAY_SECONDS];

/**
 * Seconds until the next attempt; undefined after the last. `attempts` are those that failed, at least one. Half of it
 * is random, so that webhooks that failed together are not retried together. If a target asks for a longer delay, that
 * is used, with up to a tenth more for the same reason.
 */
export function retryDelay(attempts: number, random: number, retryAfter = 0): number | undefined {
  const longest = DELAYS[attempts - 1];
  if (longest === undefined) return undefined;
  const delay = Math.max(longest * (0.5 + random / 2), retryAfter * (1 + random / 10));
  return Math.min(Math.max(1, Math.ceil(delay)), MAX_DELAY_SECONDS);
}

/** The size of a response in a dead letter. */
export const ANSWER_BYTES = 1024;

/** Control characters, except for line breaks and tabs. SQS does not accept most of them. */
const UNSEEN = /[[\p{C}\p{Zl}\p{Zp}]--[\n\t]]/gv;

/** The beginning of a response's body, without a partial character at the end. */
export function answerText(body: Uint8Array): string {
  const text = new TextDecoder().decode(body.subarray(0, ANSWER_BYTES), { stream: true });
  return text.replaceAll("\r\n", "\n").replace(UNSEEN, "\ufffd");
}
