import { createHash, createHmac } from "node:crypto";
import type { GatewayEvent } from "../events/event.ts";
import { isObject, parsedJson } from "../json.ts";
import { isSessionCall } from "../runtime/protocol.ts";
import { MISS } from "../sessions/session.ts";
import { keyOfEvent } from "./event-rows.ts";
import type { AttemptRecord, CallRecord, LogRecord, RunRecord, WriteRecord } from "./records.ts";
import { type InText, textRedaction } from "./redact-text.ts";
import { isTime, PLAIN_HEADERS, PLAIN_SESSION, readRequest, secretsOf, withoutUser } from "./secrets.ts";

/** Removes the parts of a record that must not leave its stage. */
export type RedactRecord = (attempt: AttemptRecord) => AttemptRecord;

/** Makes the reference of a key from the key and the stage's secret. The key cannot be derived from it. */
export type KeyRef = (key: string) => string;

/** The number of hex digits of the reference of a key, and of the digest of a value. */
const REF_DIGITS = 16;
const VALUE_DIGITS = 8;

/** The maximum size of a run's log lines in a redacted record. */
export const LOG_BYTES = 4_096;

/**
 * `secret` is the key of the HMAC-SHA256 behind each `KeyRef` and outline: one per stage, or its records cannot be
 * compared. `redact` does not change its argument.
 */
export function createRedaction(secret: string): { redact: RedactRecord; keyRef: KeyRef } {
  const mac = (text: string, digits: number) =>
    createHmac("sha256", secret).update(text).digest("hex").slice(0, digits);
  const keyRef: KeyRef = (key) => mac(key, REF_DIGITS);
  const outline = (value: unknown) => outlineOf(value, (text) => mac(text, VALUE_DIGITS));

  function redact(attempt: AttemptRecord): AttemptRecord {
    const inText = textRedaction(keysOf(attempt), secretsOf(attempt), keyRef);
    const tools: Tools = { inText, keyRef, outline };
    const { event, runs, error } = attempt;
    return {
      ...attempt,
      ...(error !== undefined && { error: inText(error) }),
      content: "redacted",
      event: redactEvent(event, tools),
      runs: runs.map((run) => redactRun(run, tools)),
    };
  }

  return { redact, keyRef };
}

/** The part of a redacted record that a list of events and runs shows: no text that a person or a script wrote. */
export function outlineRecord({ error, event, runs, ...attempt }: AttemptRecord): AttemptRecord {
  const key = keyOfEvent(event);
  return {
    ...attempt,
    content: "outline",
    event: { Type: event.Type, Meta: key === "" ? {} : { Key: key }, TimeStamp: event.TimeStamp },
    runs: runs.map(({ error, context, calls, names, ...run }) => ({
      ...run,
      context: {},
      calls: calls.map(({ args, answer, failure, ...call }) => ({ ...call, args: [] })),
      logs: [],
      writes: [],
    })),
  };
}

type Outline = (value: unknown) => { type: string; length: number; hmac8: string };

interface Tools {
  inText: InText;
  keyRef: KeyRef;
  outline: Outline;
}

/** The type and length of a value, and a digest that tells whether it has changed. */
function outlineOf(value: unknown, mac: (text: string) => string): ReturnType<Outline> {
  const text = typeof value === "string" ? value : JSON.stringify(value);
  const type = Array.isArray(value) ? "array" : value === null ? "null" : typeof value;
  return { type, length: text.length, hmac8: mac(text) };
}

/** All names of sessions that this attempt used. */
function keysOf({ event, runs }: AttemptRecord): Set<string> {
  const ofCalls = runs.flatMap(({ calls }) =>
    calls.flatMap(({ name, args: [key] }) => (isSessionCall(name) ? key : undefined) ?? []),
  );
  const ofWrites = runs.flatMap(({ writes, names = {} }) => [
    ...writes.map(({ key }) => key),
    ...Object.entries(names).flat(),
  ]);
  const { Key, key } = event.Meta;
  return new Set([...ofCalls, ...ofWrites, ...[Key, key].filter((each) => typeof each === "string")]);
}

/** Members of Meta that are the gateway's own names and numbers; for all others an outline is kept. */
const PLAIN_META: ReadonlySet<string> = new Set([
  "Message",
  "Origin",
  "Reason",
  "APIID",
  "CircuitEvent",
  "Org",
  "org_id",
  "trigger_limit",
  "usage_percentage",
  "api_id",
  "cert_role",
  "expires_at",
  "expired_at",
  "days_remaining",
  "days_since_expiry",
  "method",
  "oauth2_api_id",
  "oauth2_provider",
  "oauth2_exchange_outcome",
  "oauth2_exchange_cache_hit",
]);

function redactEvent(event: GatewayEvent, { inText, keyRef, outline }: Tools): GatewayEvent {
  const Meta = Object.entries(event.Meta).map(([name, value]) => {
    if (name === "OriginatingRequest")
      return [name, typeof value === "string" ? requestOutline(value, inText) : null];
    if (name.toLowerCase() === "key" && typeof value === "string") return [name, value && keyRef(value)];
    if (name === "Path" && typeof value === "string") return [name, inText(withoutQuery(value))];
    if (!PLAIN_META.has(name)) return [inText(name), outline(value)];
    return [name, typeof value === "string" ? inText(value) : isFlat(value) ? value : outline(value)];
  });
  const { Type, TimeStamp, Partial: missing } = event;
  return {
    Type: inText(Type),
    Meta: Object.fromEntries(Meta),
    TimeStamp: inText(TimeStamp),
    ...(missing && { Partial: memberNames(missing).map(inText) }),
  };
}

/** Publishers may send any value of this name themselves. */
const memberNames = (value: unknown): string[] =>
  [value].flat().filter((name) => typeof name === "string" && /^\w+(\.\w+)*$/.test(name)) as string[];

const isFlat = (value: unknown) => value === null || typeof value === "number" || typeof value === "boolean";

const withoutQuery = (path: string) => path.replace(/[?#].*$/s, "");

function requestOutline(text: string, inText: InText): object | string {
  if (text === "") return "";
  const { method, path, headers, body } = readRequest(text);
  return {
    method,
    path: inText(path),
    headers: Object.fromEntries(
      headers.map(([name, value]) => [name, PLAIN_HEADERS.has(name.toLowerCase()) ? inText(value) : null]),
    ),
    body: { length: body.length, sha256: createHash("sha256").update(body, "latin1").digest("hex") },
  };
}

function redactRun(run: RunRecord, tools: Tools): RunRecord {
  const { inText, keyRef } = tools;
  const { context, error, calls, logs, writes, names } = run;
  const session = (text: string | null) => (text === null ? null : redactSession(text, tools));
  return {
    ...run,
    context: redactContext(context, tools),
    ...(error !== undefined && { error: inText(error) }),
    calls: calls.map((call) => redactCall(call, tools)),
    logs: redactLogs(logs, inText),
    writes: writes.map(
      ({ key, before, after, ...write }): WriteRecord => ({
        ...write,
        key: keyRef(key),
        before: session(before),
        after: session(after),
      }),
    ),
    ...(names && {
      names: Object.fromEntries(Object.entries(names).map((pair) => pair.map(keyRef))),
    }),
  };
}

const CONTEXT: ReadonlySet<string> = new Set(["APIID", "OrgID", "EventID", "Handler", "Attempt"]);

/** `config_data` may contain the value of a reference. */
const redactContext = (context: RunRecord["context"], { outline }: Tools) =>
  Object.fromEntries(
    Object.entries(context).map(([name, value]) => [name, CONTEXT.has(name) ? value : outline(value)]),
  );

function redactLogs(logs: LogRecord[], inText: InText): LogRecord[] {
  let room = LOG_BYTES;
  return logs.flatMap(({ text, ...line }) => {
    if (room <= 0) return [];
    const bytes = Buffer.from(inText(text));
    const kept = bytes.length <= room ? bytes.toString() : bytes.toString("utf8", 0, room);
    room -= bytes.length;
    return [{ ...line, text: kept }];
  });
}

function redactSession(text: string, { inText, outline }: Tools): string {
  const session = parsedJson(text);
  if (text === MISS) return text;
  if (!isObject(session)) return JSON.stringify(outline(text));
  const members = Object.entries(session).map(([name, value]) => {
    if (PLAIN_SESSION.has(name) || isFlat(value) || isTime(name, value)) return [name, value];
    return [inText(name), outline(value)];
  });
  return inText(JSON.stringify(Object.fromEntries(members)));
}

function redactCall(whole: CallRecord, tools: Tools): CallRecord {
  const { name, args, answer, failure } = whole;
  const { inText, keyRef, outline } = tools;
  const call = failure ? { ...whole, failure: { ...failure, error: inText(failure.error) } } : whole;
  const [first = "", second = "", third = "", ...rest] = args;
  const answered = (text: string) => (answer === undefined ? {} : { answer: text });
  switch (name) {
    case "getKeyData":
      return {
        ...call,
        args: [keyRef(first), inText(second)],
        ...answered(redactSession(answer ?? "", tools)),
      };
    case "setKeyData":
      return { ...call, args: [keyRef(first), redactSession(second, tools), inText(third)] };
    case "delKeyData":
      return { ...call, args: [keyRef(first), inText(second)] };
    case "makeHttpRequest":
    case "batchRequest":
      return { ...call, args: [outlineHttp(first, inText)], ...answered(outlineHttp(answer ?? "", inText)) };
    case "storage":
      return {
        ...call,
        args: [first, keyRef(second), JSON.stringify(outline(third)), ...rest.slice(0, 1)],
        ...answered(JSON.stringify(outline(answer ?? ""))),
      };
  }
}

/** Requests and answers without their content: method, host, path, status, sizes, and the names of headers. */
function outlineHttp(text: string, inText: InText): string {
  return inText(JSON.stringify(outlinePart(parsedJson(text)) ?? { bytes: Buffer.byteLength(text) }));
}

function outlinePart(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(outlinePart);
  if (!isObject(value)) return undefined;
  const members = Object.entries(value).flatMap(([name, each]): [string, unknown][] => {
    switch (name.toLowerCase()) {
      case "method":
      case "domain":
      case "resource":
      case "relative_url":
        return typeof each === "string" ? [[name, withoutQuery(withoutUser(each))]] : [];
      case "code":
        return typeof each === "number" ? [[name, each]] : [];
      case "headers":
        return isObject(each) ? [[name, Object.keys(each)]] : [];
      case "body":
        return typeof each === "string" ? [["body_bytes", Buffer.byteLength(each)]] : [];
      case "requests":
      case "responses":
        return [[name, outlinePart(each)]];
      default:
        return [];
    }
  });
  return Object.fromEntries(members);
}
