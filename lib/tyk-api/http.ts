import type { Egress, EgressRequest, EgressResponse } from "../egress/client.ts";
import { canonicalName } from "../egress/headers.ts";
import { createPauses, type Pause } from "../egress/turns.ts";
import { parseTarget } from "../egress/url.ts";
import { AppError, errorText } from "../errors.ts";
import { FAILED_UNIT, formatHttpResponse, formatUnit } from "./http-answer.ts";
import { parseBatch, parseHttpRequest } from "./http-request.ts";

/** The context of one call of a run; `signal` is aborted at the end of the run. */
export interface HttpContext {
  egress: Pick<Egress, "send">;
  signal: AbortSignal;
  /** Called once, in the order of the calls, for each request that may change something and has no key. */
  idempotencyKey(): string;
  /**
   * Called once for a batch, before any of its requests is sent. False: the run may not send as many, and none is sent.
   */
  admit(requests: number): boolean;
  log(level: "error" | "warn", message: string): void;
  /** Called for every request; status 0 if it failed. The URL has no credentials and no query. */
  record?(entry: { method: string; url: string; status: number }): void;
}

/** Concurrent requests of a batch: their responses may all arrive at the same time. */
const AT_ONCE = 10;
/** The maximum size of the result of a batch: copying it between threads cannot be interrupted. */
const BATCH_ANSWER_CHARS = 4 * 1024 * 1024;
const TOO_LARGE = `TykBatchRequest: the answers of the batch have more than ${BATCH_ANSWER_CHARS} characters (http-too-large)`;

/** TykMakeHttpRequest. Never rejects: failures are logged, and the script gets undefined. */
export async function makeHttpRequest(text: string, context: HttpContext): Promise<string | undefined> {
  if (text === "undefined") return undefined; // a call without an argument, not worth a line in the log
  return logFailure("TykMakeHttpRequest", context, async () => {
    const pause = createPauses();
    const request = withIdempotencyKey(parseHttpRequest(text), context);
    await pause();
    return formatHttpResponse(await send(request, context), pause);
  });
}

/** TykBatchRequest. Never rejects. An invalid request fails the batch; a failed request has an empty element. */
export async function batchRequest(text: string, context: HttpContext): Promise<string | undefined> {
  return logFailure("TykBatchRequest", context, async () => {
    const pause = createPauses();
    const batch = await parseBatch(text, context.admit, pause);
    if (!batch) return undefined;
    const requests = batch.requests.map((request) => withIdempotencyKey(request, context));
    const answers = await sendAll(requests, batch.inTurn, context, pause);
    return formatBatch(requests, answers, context, pause);
  });
}

function withIdempotencyKey(request: EgressRequest, context: HttpContext): EgressRequest {
  const changesNothing = ["GET", "HEAD", "OPTIONS"].includes(request.method.toUpperCase());
  const hasKey = request.headers.some(([name]) => canonicalName(name) === "Idempotency-Key");
  if (changesNothing || hasKey) return request;
  return { ...request, headers: [...request.headers, ["Idempotency-Key", context.idempotencyKey()]] };
}

async function send(request: EgressRequest, context: HttpContext): Promise<EgressResponse> {
  const { method } = request;
  const url = parseTarget(request.url).url.replace(/\?.*$/s, "");
  let status = 0;
  try {
    const response = await context.egress.send(request, { signal: context.signal });
    status = response.status;
    return response;
  } finally {
    context.record?.({ method, url, status });
  }
}

/** The responses in the order of the requests; undefined for one that failed. */
async function sendAll(
  requests: EgressRequest[],
  inTurn: boolean,
  context: HttpContext,
  pause: Pause,
): Promise<(EgressResponse | undefined)[]> {
  const answers: (EgressResponse | undefined)[] = [];
  const waiting = requests.entries();
  async function lane(): Promise<void> {
    for (const [index, request] of waiting) {
      answers[index] = await logFailure("TykBatchRequest", context, () => send(request, context));
      await pause();
    }
  }
  await Promise.all(Array.from({ length: inTurn ? 1 : AT_ONCE }, lane));
  return answers;
}

async function formatBatch(
  requests: EgressRequest[],
  answers: (EgressResponse | undefined)[],
  context: HttpContext,
  pause: Pause,
): Promise<string> {
  const units: string[] = [];
  let left = BATCH_ANSWER_CHARS;
  for (const [index, { url }] of requests.entries()) {
    const answer = answers[index];
    const unit = answer ? await formatUnit(url, answer, pause) : FAILED_UNIT;
    const fits = unit.length <= left;
    if (fits) left -= unit.length;
    else context.log("error", TOO_LARGE);
    units.push(fits ? unit : FAILED_UNIT);
    await pause();
  }
  return `[${units.join(",")}]`;
}

async function logFailure<T>(
  name: string,
  context: HttpContext,
  work: () => Promise<T>,
): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    const code = error instanceof AppError ? ` (${error.code})` : "";
    context.log("error", `${name}: ${errorText(error)}${code}`);
    return undefined;
  }
}
