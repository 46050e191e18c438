import type { Egress } from "../egress/client.ts";
import { AppError, errorText } from "../errors.ts";
import type { Coalesced } from "../tasks/tasks.ts";
import type { OwnHandler } from "./own-handlers.ts";
import { headersOf } from "./request.ts";
import { ID_HEADER, type Secrets, signedHeaders, TIMESTAMP_HEADER } from "./sign.ts";
import { ANSWER_BYTES, type Attempt, answerText, type Verdict, verdictOf } from "./verdict.ts";

/** A webhook that is sent from here, and not by the gateway. */
export type OwnWebhook = Extract<OwnHandler, { kind: "webhook" }>;

/** How one request is sent. */
export interface AttemptDeps {
  egress: Pick<Egress, "send">;
  /** Without them webhooks are not signed. */
  secrets?: Secrets | undefined;
  /** From the name lookup to what is read of the answer. */
  timeoutMs: number;
  /** In ms since 1970. */
  now: () => number;
}

/** What one request came to. */
export interface Attempted {
  verdict: Verdict;
  /** Whether it was the target's own state that failed it, so that others would fail there too. */
  isDown: boolean;
  status?: number;
  /** The beginning of what the target answered. */
  answer?: string;
  ms: number;
}

/** How many events a webhook stands for: for receivers, since no template of the gateway has it. */
const COALESCED_HEADER = "gatehook-coalesced";

/** Sends one webhook once. Never throws for what the target does. */
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
    // Of an answer its beginning is read, which could not be unpacked.
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

/** As the structured fields of RFC 9651 have a dictionary. */
const coalescedText = ({ count, first, last }: Coalesced) =>
  `count=${count}, first="${new Date(first).toISOString()}", last="${new Date(last).toISOString()}"`;
