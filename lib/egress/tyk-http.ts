import { AppError, errorText } from "../errors.ts";
import { boolean, type Decoder, decodeJson, invalid, list, map, string, struct } from "../go/decode.ts";
import { decodeUtf8, encodeForm, quote } from "../go/text.ts";
import { checkMethod, type Egress, type EgressRequest, type EgressResponse } from "./client.ts";
import { canonicalName } from "./headers.ts";
import { checkUrl, fromRequestUri, parseTarget } from "./url.ts";

export interface HttpContext {
  egress: Pick<Egress, "send">;
  signal: AbortSignal;
  /** Asked once, in the order of the calls, for each request that may change something and brings no key. */
  idempotencyKey(): string;
  /** Throws when this run may send no more requests. */
  admit?(): void;
  log(level: "error" | "warn", message: string): void;
  /** Hears of every request that was to be sent; status 0 when it failed. The URL has no credentials and no query. */
  record?(entry: { method: string; url: string; status: number }): void;
}

/** Says which member is wrong, never what it has: names in there are headers and form fields, not for a log. */
const strings: Decoder<Record<string, string>> = (value) => {
  try {
    return map(string)(value) ?? {};
  } catch {
    throw invalid("expected an object of strings");
  }
};

const HTTP_REQUEST = struct({
  Method: string,
  Domain: string,
  Resource: string,
  Headers: strings,
  Body: string,
  FormData: strings,
});

const BATCH = struct({
  requests: list(struct({ method: string, headers: strings, body: string, relative_url: string })),
  suppress_parallel_execution: boolean,
});

const FAILED_UNIT = '{"relative_url":"","code":0,"headers":null,"body":""}';

/** TykMakeHttpRequest. Never rejects: what fails is logged, and the script gets undefined. */
export async function makeHttpRequest(text: string, context: HttpContext): Promise<string | undefined> {
  if (text === "undefined") return undefined; // a call without an argument, not worth a line in the log
  return logFailure("TykMakeHttpRequest", context, async () => {
    const request = withIdempotencyKey(parseHttpRequest(text), context);
    return formatHttpResponse(await send(request, context));
  });
}

/** TykBatchRequest. Never rejects. One request that makes no sense fails all, one that fails has an empty unit. */
export async function batchRequest(text: string, context: HttpContext): Promise<string | undefined> {
  return logFailure("TykBatchRequest", context, async () => {
    const { requests, suppress_parallel_execution: inTurn } = parseBatch(text);
    const keyed = requests.map((request) => withIdempotencyKey(request, context));
    const units = inTurn
      ? await unitsInTurn(keyed, context)
      : await Promise.all(keyed.map((request) => sendUnit(request, context)));
    return `[${units.join(",")}]`;
  });
}

function parseHttpRequest(text: string): EgressRequest {
  const { Method, Domain, Resource, Headers, Body, FormData } = decodeJson(text, HTTP_REQUEST);
  checkMethod(Method);
  return {
    method: Method || "GET",
    url: fromRequestUri(Domain + Resource),
    headers: Object.entries(Headers),
    body: Body || encodeForm(FormData),
  };
}

function parseBatch(text: string): { requests: EgressRequest[]; suppress_parallel_execution: boolean } {
  const { requests, ...rest } = decodeJson(text, BATCH);
  const parsed = (requests ?? []).map(({ method, headers, body, relative_url: url }) => {
    checkMethod(method);
    checkUrl(url);
    return { method: method || "GET", url, headers: Object.entries(headers), body };
  });
  return { requests: parsed, ...rest };
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
  context.admit?.();
  let status = 0;
  try {
    const response = await context.egress.send(request, { signal: context.signal });
    status = response.status;
    return response;
  } finally {
    context.record?.({ method, url, status });
  }
}

async function unitsInTurn(requests: EgressRequest[], context: HttpContext): Promise<string[]> {
  const units: string[] = [];
  for (const request of requests) units.push(await sendUnit(request, context));
  return units;
}

async function sendUnit(request: EgressRequest, context: HttpContext): Promise<string> {
  const unit = await logFailure("TykBatchRequest", context, async () =>
    formatUnit(request.url, await send(request, context)),
  );
  return unit ?? FAILED_UNIT;
}

async function logFailure(
  name: string,
  context: HttpContext,
  work: () => Promise<string>,
): Promise<string | undefined> {
  try {
    return await work();
  } catch (error) {
    const code = error instanceof AppError ? ` (${error.code})` : "";
    context.log("error", `${name}: ${errorText(error)}${code}`);
    return undefined;
  }
}

/** By hand, since the order of the members counts, also of headers that look like numbers. */
function formatHttpResponse({ status, headers, body }: EgressResponse): string {
  const [text, names] = [quote(decodeUtf8(body)), formatHeaders(headers)];
  const upper = `"Code":${status},"Body":${text},"Headers":${names}`;
  return `{${upper},"code":${status},"body":${text},"headers":${names}}`;
}

function formatUnit(url: string, { status, headers, body }: EgressResponse): string {
  const text = quote(decodeUtf8(body));
  return `{"relative_url":${quote(url)},"code":${status},"headers":${formatHeaders(headers)},"body":${text}}`;
}

function formatHeaders(headers: Record<string, string[]>): string {
  const members = Object.keys(headers)
    .sort()
    .map((name) => `${quote(name)}:[${(headers[name] ?? []).map(quote).join(",")}]`);
  return `{${members.join(",")}}`;
}
