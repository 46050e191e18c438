import { isDeepStrictEqual } from "node:util";
import { CORE_LINE } from "../consumer/core-line.ts";
import type { GatewayEvent } from "../events/event.ts";
import type { Used } from "../runtime/protocol.ts";
import { MISS } from "../sessions/session.ts";
import type { AttemptRecord, CallRecord, RunRecord } from "./records.ts";

/** The content of a test file: an event, the data for its handlers, and the expected result. */
export interface TestCase {
  api_id: string;
  event: GatewayEvent;
  /** The members that scripts receive. */
  event_id: string;
  attempt: number;
  /** The first time that each handler reads from the clock; each further read is one millisecond later. */
  now: string;
  /** For handlers that read other times, or random numbers. */
  took: (Pick<Used, "seed" | "clock"> & { handler: string })[];
  /** The sessions before the event, by key. */
  sessions: Record<string, unknown>;
  /** The answers of other hosts, each for one request; `error`: the logged error if there is no answer. */
  http: HttpAnswer[];
  /** Answers of the storage; other calls use a storage that is empty at first. */
  storage: { args: string[]; answer: unknown }[];
  expect: Partial<Expectation>;
}

/** One answer of another host, and its request. */
export interface HttpAnswer {
  call: "makeHttpRequest" | "batchRequest";
  /** The members that a request must have to get this answer. */
  request: unknown;
  answer: unknown;
  error?: string;
}

/** The result of an event. */
export interface Expectation {
  outcome: "done" | "failed";
  reason?: string;
  /** The first line of the error. */
  error?: string;
  logs: { handler: string; level: string; text: string }[];
  /** `POST https://api.example/hook`, in order. */
  http: string[];
  /** The sessions that were changed; null for one that was deleted. */
  sessions: Record<string, unknown>;
}

/**
 * The test that passes if handlers do the same as in this attempt. Its keys and bodies are those of the record, so a
 * redacted record makes a test with redacted values.
 */
export function testCaseOf({ id, api_id, event, n, at, runs }: AttemptRecord): TestCase {
  const now = new Date(firstLook(runs[0]) ?? runs[0]?.began ?? at).toISOString();
  return {
    api_id,
    event,
    event_id: id,
    attempt: n,
    now,
    took: runs.flatMap((run) => tookOf(run, Date.parse(now)) ?? []),
    sessions: sessionsBefore(runs),
    http: runs.flatMap(({ calls, logs }) =>
      calls.flatMap(({ i, name, args, answer }): HttpAnswer[] => {
        if (name !== "makeHttpRequest" && name !== "batchRequest") return [];
        const line = logs.find(({ call, level }) => call === i && level === "error");
        const error = answer === undefined && line ? { error: line.text } : {};
        return [{ call: name, request: jsonOf(args[0]), answer: jsonOf(answer), ...error }];
      }),
    ),
    storage: runs.flatMap(({ calls }) =>
      calls.flatMap(({ name, args, answer }) => (name === "storage" ? { args, answer: jsonOf(answer) } : [])),
    ),
    expect: expectationOf(runs),
  };
}

const firstLook = (run: RunRecord | undefined) => run?.used?.clock?.[0];

/** Undefined if the recorded clock equals the clock of a test. */
function tookOf({ handler, used }: RunRecord, now: number): TestCase["took"][number] | undefined {
  const { seed, clock = [] } = used ?? {};
  const isPlain = clock.every((step, at) => step === (at === 0 ? now : 1));
  if (isPlain && !seed) return undefined;
  return { handler, ...(!isPlain && { clock }), ...(seed && { seed }) };
}

/** The result of handlers, in the format of a test. */
export function expectationOf(runs: RunRecord[]): Expectation {
  const failed = runs.find(({ outcome }) => outcome === "failed");
  const { reason, error } = failed ?? {};
  return {
    outcome: failed ? "failed" : "done",
    ...(reason && { reason }),
    ...(error && { error: error.split("\n", 1)[0] ?? "" }),
    logs: runs.flatMap(({ handler, logs }) =>
      logs.filter(({ text }) => text !== CORE_LINE).map(({ level, text }) => ({ handler, level, text })),
    ),
    http: runs.flatMap(({ calls }) => calls.flatMap(requestLines)),
    // The writes of a failed handler are discarded.
    sessions: Object.fromEntries(
      runs
        .filter((run) => run.outcome !== "failed")
        .flatMap(({ writes }) => writes.map(({ key, after }) => [key, jsonOf(after ?? "null")])),
    ),
  };
}

/** The gateway's member names are case-insensitive. */
function requestLines({ name, args }: CallRecord): string[] {
  if (name !== "makeHttpRequest" && name !== "batchRequest") return [];
  const request = membersOf(jsonOf(args[0]));
  const all = name === "batchRequest" ? request.get("requests") : [jsonOf(args[0])];
  if (!Array.isArray(all)) return ["a batch that cannot be read"];
  return all.map((each) => {
    const members = membersOf(each);
    const text = (...names: string[]) => names.map((of) => members.get(of) ?? "").join("");
    return `${text("method") || "GET"} ${text("domain", "resource", "relative_url")}`;
  });
}

const membersOf = (value: unknown): Map<string, unknown> =>
  new Map(
    typeof value === "object" && value !== null
      ? Object.entries(value).map(([name, each]) => [name.toLowerCase(), each])
      : [],
  );

/** Each session as read by the first run that used it. */
function sessionsBefore(runs: RunRecord[]): Record<string, unknown> {
  const before = new Map<string, unknown>();
  const meet = (key: string, text: string | null | undefined) => {
    if (!before.has(key)) before.set(key, text === null || text === MISS ? undefined : jsonOf(text));
  };
  const met = runs.flatMap(({ calls, writes, names = {} }) => {
    const own = new Map(Object.entries(names));
    return [
      ...calls.flatMap(({ i, name, args: [key = ""], answer, failure }) =>
        name === "getKeyData" && !failure
          ? [{ i, key: answer === MISS ? key : (own.get(key) ?? key), text: answer }]
          : [],
      ),
      ...writes.map(({ i, key, before: text }) => ({ i, key, text })),
    ].sort((a, b) => a.i - b.i);
  });
  for (const { key, text } of met) meet(key, text);
  return Object.fromEntries([...before].filter(([, session]) => session !== undefined));
}

/** The value of a JSON text, with exact numbers; any other text is returned unchanged. */
function jsonOf(text: string | undefined): unknown {
  if (text === undefined) return null;
  try {
    return parseExactly(text);
  } catch {
    return text;
  }
}

/** Not in the compiler's library yet. */
const exact = JSON as unknown as { rawJSON(text: string): unknown; isRawJSON(value: unknown): boolean };

const exactly = (_: string, value: unknown, { source }: { source?: string }) =>
  typeof value === "number" && source !== undefined && String(value) !== source
    ? exact.rawJSON(source)
    : value;

/** Parses JSON with numbers that are printed as they were written. */
export const parseExactly = (text: string): unknown =>
  JSON.parse(text, exactly as (name: string, value: unknown) => unknown);

/** With the members of each object in the order of their names, so that two files differ only if their values do. */
export function testCaseText(test: Partial<TestCase>): string {
  const said = Object.entries(test).filter(([name, value]) => !isDeepStrictEqual(value, UNSAID[name]));
  return `${JSON.stringify(sorted(Object.fromEntries(said)), undefined, 2)}\n`;
}

/** Values that are omitted. */
const UNSAID: Record<string, unknown> = { attempt: 1, took: [], sessions: {}, http: [], storage: [] };

/** A copy with the members of each object sorted by name, at every depth. */
export function sorted(value: unknown): unknown {
  if (typeof value !== "object" || value === null || exact.isRawJSON(value)) return value;
  if (Array.isArray(value)) return value.map(sorted);
  const members = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(members.map(([name, each]) => [name, sorted(each)]));
}
