import { checkMethod, type EgressRequest } from "../egress/client.ts";
import { checkHeaderSize } from "../egress/headers.ts";
import type { Pause } from "../egress/turns.ts";
import { checkUrl, fromRequestUri } from "../egress/url.ts";
import { AppError } from "../errors.ts";
import { boolean, type Decoder, decodeJson, invalid, list, map, string, struct } from "../go/decode.ts";
import { outline } from "../go/json.ts";
import { encodeForm } from "../go/text.ts";

/** Names the member at fault, never its value: it may have headers and form fields, which must not be logged. */
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

/**
 * The limit of the text of one call. A larger text is rejected before it is decoded, since decoding cannot be
 * interrupted.
 */
const TEXT_BYTES = 1024 * 1024;
const TEXT_VALUES = 4_000;

/** The argument of TykMakeHttpRequest; throws http-invalid or json-invalid. */
export function parseHttpRequest(text: string): EgressRequest {
  const problem = sizeProblem(text, () => outline(text).values);
  if (problem) throw problem;
  const { Method, Domain, Resource, Headers, Body, FormData } = decodeJson(text, HTTP_REQUEST);
  checkMethod(Method);
  const headers = Object.entries(Headers);
  checkHeaderSize(headers);
  const url = fromRequestUri(Domain + Resource);
  return { method: Method || "GET", url, headers, body: Body || encodeForm(FormData) };
}

/** A decoded batch, its requests in their order; `inTurn`: one after the other. */
export interface Batch {
  requests: EgressRequest[];
  inTurn: boolean;
}

/**
 * The argument of TykBatchRequest; undefined if it has more requests than allowed. Throws the same errors as
 * parseHttpRequest.
 */
export async function parseBatch(
  text: string,
  admit: (requests: number) => boolean,
  pause: Pause,
): Promise<Batch | undefined> {
  const size = outline(text);
  const problem = sizeProblem(text, () => size.values);
  if (problem) {
    // If it is too large because of its requests, it also exceeds their limit.
    if (!admit(size.elements)) return undefined;
    throw problem;
  }
  const { requests, suppress_parallel_execution } = decodeJson(text, BATCH);
  if (!admit(requests?.length ?? 0)) return undefined;
  const parsed: EgressRequest[] = [];
  for (const { method, headers: named, body, relative_url: url } of requests ?? []) {
    checkMethod(method);
    checkUrl(url);
    const headers = Object.entries(named);
    checkHeaderSize(headers);
    parsed.push({ method: method || "GET", url, headers, body });
    await pause();
  }
  return { requests: parsed, inTurn: suppress_parallel_execution };
}

function sizeProblem(text: string, countValues: () => number): AppError | undefined {
  const refuse = (limit: string) => new AppError("http-invalid", `the request has more than ${limit}`);
  if (Buffer.byteLength(text) > TEXT_BYTES) return refuse(`${TEXT_BYTES} bytes`);
  return countValues() > TEXT_VALUES ? refuse(`${TEXT_VALUES} members and elements`) : undefined;
}
