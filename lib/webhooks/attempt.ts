import type { Egress } from "../egress/client.ts";
import { AppError, errorText } from "../errors.ts";
import type { Coalesced } from "../tasks/tasks.ts";
import type { OwnHandler } from "./own-handlers.ts";
import { headersOf } from "./request.ts";
import { ID_HEADER, type Secrets, signedHeaders, TIMESTAMP_HEADER } from "./sign.ts";
import { ANSWER_BYTES, type Attempt, answerText, type Verdict, verdictOf } from "./verdict.ts";

/** A webhook that gatehook sends instead of the gateway. */
export type OwnWebhook = Extract<OwnHandler, { kind: "webhook" }>;

/** How one request is sent. */
export interface AttemptDeps {
  egress: Pick<Egress, "send">;
  /** If undefined, webhooks are not signed. */
  secrets?: Secrets | undefined;
  /** From the DNS lookup to the end of what is read of the response. */
  timeoutMs: number;
  /** In ms since 1970. */
  now: () => number;
}

/** The result of one request. */
export interface Attempted {
  verdict: Verdict;
  /** Whether the target itself is unavailable, so that other requests to it would fail too. */
  isDown: boolean;
  status?: number;
  /** The beginning of the target's response. */
  answer?: string;
  ms: number;
}

/** The count of a window, for receivers: the gateway's templates have no value for it. */
const COALESCED_HEADER = "gatehook-coalesced";

/** Sends one webhook once. Never throws because of the target. */
export async function attempt(
  { egress, secrets, timeoutMs, now }: AttemptDeps,
  { webhook, id, body, coalesced }: { webhook: OwnWebhook; id: string; body: string; coalesced?: Coalesced },
): Promise<Attempted> {
  const started = now();
  const timestamp = Math.floor(started / 1000);
  const signature = secrets
    ? signedHeaders(secrets, { id, timestamp, body })
    : { [ID_HEADER]: id, [TIMESTAMP_HEADER]: String(timestamp) };
  const headers = headersOf(webhook, {
    ...signature,
    ...(coalesced && { [COALESCED_HEADER]: coalescedText(coalesced) }),
    // Only the beginning of a response is read, which could not be decompressed.
    "Accept-Encoding": "identity",
  });
  const { method, target: url } = webhook;
  let given: Attempt;
  let answer: string | undefined;
  try {
    const signal = AbortSignal.timeout(timeoutMs);
    const how = { signal, follow: false, firstBytes: ANSWER_BYTES };
    const response = await egress.send({ method, url, headers, body }, how);
    answer = answerText(response.body);
    given = { status: response.status, retryAfter: response.headers["Retry-After"]?.[0] };
  } catch (thrown) {
    if (!(thrown instanceof AppError)) throw thrown;
    given = { failure: errorText(thrown) };
  }
  const ended = now();
  const status = "status" in given ? given.status : undefined;
  return {
    verdict: verdictOf(given, ended),
    isDown: status === undefined || status === 429 || status >= 500,
    ...(status !== undefined && { status }),
    ...(answer && { answer }),
    ms: ended - started,
  };
}

/** A dictionary of the structured fields of RFC 9651. */
const coalescedText = ({ count, first, last }: Coalesced) =>
  `count=${count}, first="${new Date(first).toISOString()}", last="${new Date(last).toISOString()}"`;
