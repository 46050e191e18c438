import { isDeepStrictEqual } from "node:util";
import type { ConfigOf } from "../consumer/config-data.ts";
import { isObject } from "../json.ts";
import type { LiveRelease } from "../releases/release.ts";
import type { RunUsed } from "../runtime/protocol.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { parseSession, type Session } from "../sessions/session.ts";
import { createMemoryEntries, createStorage } from "../tyk-api/storage.ts";
import type { AttemptRecord, CallRecord, LogRecord, RunRecord } from "./records.ts";
import type { World } from "./replay-host.ts";
import { noteChanges, rerunOne } from "./rerun-run.ts";
import { type Expectation, expectationOf, sorted, type TestCase } from "./test-case.ts";
import type { Place } from "./test-read.ts";

/** `timeoutMs`: the limit of one run, in wall time. */
export interface TestDeps {
  /** Each run starts with the freshly loaded scripts. */
  runtime: Runtime;
  release: LiveRelease;
  configOf: ConfigOf;
  timeoutMs: number;
  allowMasterKeys: boolean;
}

/** The result of a test. */
export interface TestResult {
  now: Expectation;
  /** The differences from the expected result. */
  mismatches: Mismatch[];
  /** The error of a handler that failed, with its frames. */
  error: string;
}

/** `expected` and `actual` are undefined if that side has no value. */
export interface Mismatch {
  /** The place in the test. */
  place: Place;
  expected: unknown;
  actual: unknown;
}

/**
 * Runs the release's handlers for the event. Nothing is written or sent. Throws if config_data has a reference without
 * a value.
 */
export async function runTest(test: TestCase, deps: TestDeps): Promise<TestResult> {
  const { release, configOf } = deps;
  const { api_id, event, http, sessions } = test;
  const api = release.api(api_id);
  const refs = release.handlers(api_id, event.Type);
  if (!api || refs.length === 0) return withoutHandler(test, api ? undefined : release.nearestApi(api_id));
  const config_data = await configOf(api);
  const lines = http.flatMap(({ error }, i): LogRecord[] =>
    error === undefined ? [] : [{ i, level: "error", text: error, call: i }],
  );
  const world: World = {
    unused: answersOf(test),
    isSame,
    storage: createStorage({ entries: createMemoryEntries(), now: () => Date.parse(test.now) }),
    orgOf: (id) => release.api(id)?.org_id ?? "",
  };
  const others = new Map(
    Object.entries(sessions).map(([key, session]) => [key, parseSession(JSON.stringify(session))]),
  );
  const changed = new Map<string, Session | undefined>();
  const runs: RunRecord[] = [];
  for (const { name, path } of refs) {
    const context = {
      APIID: api_id,
      OrgID: api.org_id,
      EventID: test.event_id,
      Handler: name,
      Attempt: test.attempt,
      ...(config_data && { config_data }),
    };
    const given = { handler: name, path, context, used: usedBy(name, test), logs: lines };
    const recorded = { ...EMPTY, ...given, timeout_ms: deps.timeoutMs, began: Date.parse(test.now) };
    const { allowMasterKeys } = deps;
    const now = await rerunOne(attemptOf(test), recorded, deps.runtime, {
      changed,
      others,
      world,
      allowMasterKeys,
    });
    noteChanges(changed, undefined, now);
    runs.push(now.record);
  }
  return resultOf(test, runs, world);
}

const EMPTY = { ms: 0, outcome: "done", calls: [], writes: [] } satisfies Partial<RunRecord>;

function withoutHandler({ api_id, event }: TestCase, near: string | undefined): TestResult {
  const actual = `no handler for ${event.Type} of API ${api_id}${near ? `: did you mean API ${near}?` : ""}`;
  return {
    now: { outcome: "failed", logs: [], http: [], sessions: {} },
    mismatches: [{ place: ["api_id"], expected: "a handler in the definitions", actual }],
    error: "",
  };
}

const attemptOf = ({ event, now, api_id, event_id, attempt }: TestCase): AttemptRecord => ({
  id: event_id,
  api_id,
  n: attempt,
  at: now,
  ms: 0,
  container: "",
  isolation: "event",
  outcome: "done",
  event,
  runs: [],
});

function usedBy(handler: string, { took, now }: TestCase): RunUsed {
  const { seed, clock = [Date.parse(now)] } = took.find((each) => each.handler === handler) ?? {};
  return { ...(seed !== undefined && { seed }), clock, load: { id: "" }, nth: 0 };
}

/** In the format of a record; `i` is the position in the test. */
function answersOf({ http, storage }: TestCase): CallRecord[] {
  return [
    ...http.map(({ call, request, answer }, i): CallRecord => {
      const said = answer === null ? {} : { answer: textOf(answer) };
      const requests = call === "batchRequest" && isObject(request) && Array.isArray(request.requests);
      const count = requests ? { requests: (request.requests as unknown[]).length } : {};
      return { i, name: call, args: [textOf(request)], ...said, ...count, t: 0, ms: 0 };
    }),
    ...storage.map(
      ({ args, answer }, at): CallRecord => ({
        i: http.length + at,
        name: "storage",
        args,
        answer: textOf(answer),
        t: 0,
        ms: 0,
      }),
    ),
  ];
}

const textOf = (value: unknown) => (typeof value === "string" ? value : JSON.stringify(value));

/** A request must have the members of the test's request, and may have more; a storage call may have more arguments. */
function isSame(answer: CallRecord, call: Pick<CallRecord, "name" | "args">): boolean {
  if (answer.name !== call.name) return false;
  if (call.name === "storage") return answer.args.every((arg, at) => arg === call.args[at]);
  const [wanted, asked] = [parsed(answer.args[0]), parsed(call.args[0])];
  return isPartOf(wanted, asked);
}

function parsed(text = ""): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function isPartOf(part: unknown, whole: unknown): boolean {
  if (isObject(part) && isObject(whole))
    return Object.entries(part).every(
      ([name, value]) => Object.hasOwn(whole, name) && isPartOf(value, whole[name]),
    );
  if (Array.isArray(part) && Array.isArray(whole))
    return part.length === whole.length && part.every((each, at) => isPartOf(each, whole[at]));
  return isDeepStrictEqual(part, whole);
}

function resultOf({ expect, http }: TestCase, runs: RunRecord[], { unused }: World): TestResult {
  const now = expectationOf(runs);
  const error = runs.find(({ outcome }) => outcome === "failed")?.error ?? "";
  const wrong = Object.entries(now).flatMap(([member, actual]) =>
    mismatchesAt(member as keyof Expectation, expect, actual),
  );
  const unasked = unused.flatMap(({ i, name }): Mismatch[] =>
    name === "storage" || expect.http
      ? []
      : [{ place: ["http", i], expected: http[i]?.request, actual: "not asked" }],
  );
  const missing = (["reason", "error"] as const).flatMap((member): Mismatch[] =>
    expect[member] !== undefined && now[member] === undefined
      ? [{ place: ["expect", member], expected: expect[member], actual: undefined }]
      : [],
  );
  return { now, mismatches: [...wrong, ...missing, ...unasked], error };
}

/** A member that a test omits may have any value, except the outcome. */
function mismatchesAt(member: keyof Expectation, expect: Partial<Expectation>, actual: unknown): Mismatch[] {
  const expected = member === "outcome" ? (expect.outcome ?? "done") : expect[member];
  if (expected === undefined || isSameJson(expected, actual)) return [];
  const place = ["expect", member];
  if (member === "sessions" && isObject(expected) && isObject(actual))
    return [...new Set([...Object.keys(expected), ...Object.keys(actual)])].flatMap((key): Mismatch[] =>
      isSameJson(expected[key], actual[key])
        ? []
        : [{ place: [...place, key], expected: expected[key], actual: actual[key] }],
    );
  if (Array.isArray(expected) && Array.isArray(actual)) {
    const at = expected.findIndex((each, index) => !isSameLine(each, actual[index]));
    if (at < 0 && expected.length === actual.length) return [];
    return [{ place: [...place, at < 0 ? expected.length : at], expected, actual }];
  }
  return [{ place, expected, actual }];
}

/** A log line of a test may omit the handler and the level. */
const isSameLine = (expected: unknown, actual: unknown) =>
  isObject(expected) && isObject(actual) ? isPartOf(expected, actual) : isDeepStrictEqual(expected, actual);

/** Equality of JSON values, independent of the order of members. */
const isSameJson = (a: unknown, b: unknown) => JSON.stringify(sorted(a)) === JSON.stringify(sorted(b));
