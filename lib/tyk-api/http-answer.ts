import type { EgressResponse } from "../egress/client.ts";
import type { Pause } from "../egress/turns.ts";
import { decodeUtf8, quote } from "../go/text.ts";

/**
 * The result of TykMakeHttpRequest. Not JSON.stringify, since the order of members matters, also for numeric header
 * names.
 */
export async function formatHttpResponse(response: EgressResponse, pause: Pause): Promise<string> {
  const { status } = response;
  const [text, names] = [await quoteBody(response.body, pause), formatHeaders(response.headers)];
  const upper = `"Code":${status},"Body":${text},"Headers":${names}`;
  return `{${upper},"code":${status},"body":${text},"headers":${names}}`;
}

/** The result of TykBatchRequest for a request that failed, as in the gateway. */
export const FAILED_UNIT = '{"relative_url":"","code":0,"headers":null,"body":""}';

/** The result of TykBatchRequest for one of its requests. */
export async function formatUnit(url: string, response: EgressResponse, pause: Pause): Promise<string> {
  const text = await quoteBody(response.body, pause);
  const headers = formatHeaders(response.headers);
  return `{"relative_url":${quote(url)},"code":${response.status},"headers":${headers},"body":${text}}`;
}

function formatHeaders(headers: Record<string, string[]>): string {
  const members = Object.keys(headers)
    .sort()
    .map((name) => `${quote(name)}:[${(headers[name] ?? []).map(quote).join(",")}]`);
  return `{${members.join(",")}}`;
}

const PART_BYTES = 16 * 1024;

/** In parts: a large body that is not text, or needs many escapes, would block all other work. */
async function quoteBody(body: Uint8Array, pause: Pause): Promise<string> {
  let quoted = "";
  for (let at = 0; at < body.length; ) {
    const end = partEnd(body, at + PART_BYTES);
    const part = quote(decodeUtf8(body.subarray(at, end))).slice(1, -1);
    // Converted through bytes, since a text with replacements uses two bytes for each character, even if it is all
    // ASCII.
    quoted += Buffer.from(part).toString();
    at = end;
    await pause();
  }
  return `"${quoted}"`;
}

/**
 * This position, or a little before if it would cut a character: all bytes of a character except the first begin with
 * 10.
 */
function partEnd(body: Uint8Array, end: number): number {
  const start = [0, 1, 2, 3].find((back) => ((body[end - back] ?? 0) & 0xc0) !== 0x80) ?? 0;
  return Math.min(end - start, body.length);
}
