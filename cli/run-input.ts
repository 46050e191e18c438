import { text as readStream } from "node:stream/consumers";
import { AppError } from "../lib/errors.ts";
import { type GatewayEvent, parseEvent } from "../lib/events/event.ts";
import { jsonMistake } from "../lib/json-mistake.ts";
import { parseSession, type Session } from "../lib/sessions/session.ts";
import type { Given } from "./run-handler.ts";
import { readText, UsageError } from "./terminal/usage.ts";

/** `event`: a file, or `-` for standard input; `session`: a file by key. */
export interface InputOptions {
  event?: string;
  session: Record<string, string>;
  api?: string;
}

/** Reads the event and the sessions from the files of the options. */
export async function readInput(options: InputOptions): Promise<Given> {
  return { event: await readEvent(options), sessions: await readSessions(options.session) };
}

async function readEvent({ event, api, session }: InputOptions): Promise<GatewayEvent> {
  if (event === undefined) return sampleEvent(Object.keys(session)[0] ?? "sample-key");
  return parseEventText(
    event === "-" ? await readStream(process.stdin) : await readText(event, "event"),
    event,
    api,
  );
}

async function readSessions(files: Record<string, string>): Promise<Map<string, Session>> {
  const read = Object.entries(files).map(
    async ([key, file]) => [key, parseSessionText(await readText(file, "session"), file)] as const,
  );
  return new Map(await Promise.all(read));
}

/** Throws a UsageError that names the source of the text. */
export function parseEventText(text: string, from: string, api = "run"): GatewayEvent {
  return asUsage(text, () => parseEvent(text, { apiId: api, fallbackId: "run" }).event, from);
}

/** Throws a UsageError that names the source of the text. */
export const parseSessionText = (text: string, from: string): Session =>
  asUsage(text, () => parseSession(text), from);

/** For invalid JSON, the error names the line without its text, which may be a key. */
function asUsage<T>(text: string, parse: () => T, from: string): T {
  try {
    return parse();
  } catch (cause) {
    if (!(cause instanceof AppError)) throw cause;
    // An event may be in a format that is not JSON: then invalid JSON is not the problem.
    const line = / not JSON\b/.test(cause.message) && jsonMistake(text)?.line;
    const name = from === "-" ? line && "standard input" : from;
    throw new UsageError([[name, line].filter(Boolean).join(":"), cause.message].filter(Boolean).join(": "), {
      cause,
    });
  }
}

/** A KeyExpired event of the key, identical at each call. */
export function sampleEvent(key: string): GatewayEvent {
  const Meta = {
    Message: "Attempted access from expired key.",
    OriginatingRequest: "",
    Path: "/",
    Origin: "203.0.113.7",
    Key: key,
  };
  return { Type: "KeyExpired", Meta, TimeStamp: "2026-01-02 03:04:05 +0000 UTC" };
}
