import { request } from "./api.ts";
import { parsed } from "./parts.tsx";

export const pathOf = (key: string, rest = "") => `/sessions/${encodeURIComponent(key)}${rest}`;

export interface Read {
  text: string;
  etag: string;
}

export const pretty = (value: unknown) => JSON.stringify(value, undefined, 2);

export async function read(key: string, signal?: AbortSignal): Promise<Read> {
  const answer = await request("GET", pathOf(key), signal ? { signal } : {});
  // As text, so that large numbers keep all digits.
  return { text: indented(await answer.text()), etag: answer.headers.get("etag") ?? "" };
}

/** Formatted with one member on each line, unless that would change a value. */
function indented(text: string): string {
  const value = parsed(text);
  return JSON.stringify(value) === text.trim() ? pretty(value) : text;
}
