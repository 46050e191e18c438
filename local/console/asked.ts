import type { Context } from "hono";
import { AppError } from "../../lib/errors.ts";
import { parseEvent } from "../../lib/events/event.ts";
import { outline } from "../../lib/go/json.ts";
import { isObject } from "../../lib/json.ts";

// Checks of a request's parameters and body.

/** A part of the backend, with the name `what`. Throws `path-unknown` if the console does not have it. */
export function there<Part>(part: Part | undefined, what: string): Part {
  if (part !== undefined) return part;
  throw new AppError("path-unknown", `this console does not offer ${what}`);
}

/** The error `request-invalid` for a parameter or a member; `problem` continues after its name. */
export const invalid = (field: string, problem: string) =>
  new AppError("request-invalid", `${field} ${problem}`, { field });

/** Rejects unknown parameters, since a misspelt one would silently be ignored. */
export function known<Name extends string>(c: Context, names: Name[]): Partial<Record<Name, string>> {
  const query = c.req.query();
  const unknown = Object.keys(query).find((name) => !(names as string[]).includes(name));
  if (unknown !== undefined)
    throw invalid(unknown, `is not a parameter of this route; there is ${names.join(", ")}`);
  return query as Partial<Record<Name, string>>;
}

/** From 1 to `most`; `fallback` if the text is missing. Throws `request-invalid`. */
export function wholeNumber(field: string, text: string | undefined, fallback: number, most: number): number {
  if (text === undefined) return fallback;
  const number = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
  if (number >= 1 && number <= most) return number;
  throw invalid(field, `must be a whole number from 1 to ${most}`);
}

/**
 * More levels than an event or a session may have. Functions that compare two bodies call themselves once for each
 * level, so a deeper body could exceed the stack.
 */
const MAX_DEPTH = 1_000;

/** The body; `{}` for an empty one. Throws `json-invalid`, and `request-invalid` for JSON that is not an object. */
export async function objectIn(c: Context): Promise<Record<string, unknown>> {
  const text = await c.req.text();
  if (text.trim() === "") return {};
  if (outline(text).depth > MAX_DEPTH)
    throw new AppError("request-invalid", `the body is nested more than ${MAX_DEPTH} levels deep`);
  try {
    const body = JSON.parse(text);
    if (isObject(body)) return body;
  } catch (cause) {
    throw new AppError("json-invalid", "the body is not JSON", { cause });
  }
  throw new AppError("request-invalid", "the body must be a JSON object");
}

/** Checked with ingest's rules, so that an error is reported before anything is sent. */
export function checkedEvent(event: unknown, api: unknown, field: string) {
  if (typeof api !== "string" || api === "") throw invalid(`${field}.api_id`, "is missing");
  const { event: read } = parseEvent(JSON.stringify({ event }), { apiId: api, fallbackId: "none" });
  return { api_id: api, event: read };
}
