import type { EgressResponse } from "../egress/client.ts";
import type { Pause } from "../egress/turns.ts";
import { decodeUtf8, quote } from "../go/text.ts";

/** What TykMakeHttpRequest answers. By hand, since the order of the members counts, also of numeric header names. */
export async function formatHttpResponse(response: EgressResponse, pause: Pause): Promise<string> {
  const { status } = response;
  const [text, names] = [await quoteBody(response.body, pause), formatHeaders(response.headers)];
  const upper = `"Code":${status},"Body":${text},"Headers":${names}`;
  return `{${upper},"code":${status},"body":${text},"headers":${names}}`;
}

/** What TykBatchRequest answers for a request that failed, as the gateway has it. */
export const FAILED_UNIT = '{"relative_url":"","code":0,"headers":null,"body":""}';

/** What TykBatchRequest answers for one of its requests. */
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

/** In parts: of a body that is not text, or all escapes, a large one would hold up all other work. */
async function quoteBody(body: Uint8Array, pause: Pause): Promise<string> {
  let quoted = "";
  for (let at = 0; at < body.length; ) {
    const end = partEnd(body, at + PART_BYTES);
    const part = quote(decodeUtf8(body.subarray(at, end))).slice(1, -1);
    // Through bytes, since what was replaced leaves a text of two bytes a character, though all of it be ASCII.
    quoted += Buffer.from(part).toString();
    at = end;
    await pause();
  }
  return `"${quoted}"`;
}

/** Here, or a little before where that would cut a character: of its bytes, all but the first begin with 10. */
function partEnd(body: Uint8Array, end: number): number {
  const start = [0, 1, 2, 3].find((back) => ((body[end - back] ?? 0) & 0xc0) !== 0x80) ?? 0;
  return Math.min(end - start, body.length);
}
