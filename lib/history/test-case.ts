import { CORE_LINE } from "../consumer/core-line.ts";
import { MISS } from "../sessions/session.ts";
import type { AttemptRecord, CallRecord, RunRecord } from "./records.ts";

/** An event with what its handlers were given, and what came of it: the content of a file of a test. */
export interface TestCase {
  api_id: string;
  event: unknown;
  /** What was in the store, as far as it was asked for. */
  sessions: Record<string, unknown>;
  /** The answers of other hosts and of the storage, in the order in which they came. */
  http: { call: string; request: unknown; answer: unknown }[];
  storage: { args: string[]; answer: unknown }[];
  expect: {
    outcome: string;
    reason?: string;
    logs: { handler: string; level: string; text: string }[];
    /** Those that were changed; null for one that was deleted. */
    sessions: Record<string, unknown>;
  };
}

export function testCaseOf({ api_id, event, outcome, reason, runs }: AttemptRecord): TestCase {
  const calls = runs.flatMap((run) => run.calls);
  return {
    api_id,
    event,
    sessions: sessionsBefore(runs),
    http: calls.flatMap(({ name, args, answer }) =>
      HTTP.has(name) ? { call: name, request: jsonOf(args[0]), answer: jsonOf(answer) } : [],
    ),
    storage: calls.flatMap(({ name, args, answer }) =>
      name === "storage" ? { args, answer: jsonOf(answer) } : [],
    ),
    expect: {
      outcome,
      ...(reason && { reason }),
      logs: runs.flatMap(({ handler, logs }) =>
        logs.filter(({ text }) => text !== CORE_LINE).map(({ level, text }) => ({ handler, level, text })),
      ),
      // What a failed handler wrote does not count.
      sessions: Object.fromEntries(
        runs
          .filter((run) => run.outcome === "done")
          .flatMap(({ writes }) => writes.map(({ key, after }) => [key, jsonOf(after ?? "null")])),
      ),
    },
  };
}

const HTTP: ReadonlySet<CallRecord["name"]> = new Set(["makeHttpRequest", "batchRequest"]);

/** As the first run that met each found it. */
function sessionsBefore(runs: RunRecord[]): Record<string, unknown> {
  const before = new Map<string, unknown>();
  const meet = (key: string, text: string | null | undefined) => {
    if (!before.has(key)) before.set(key, text === null || text === MISS ? undefined : jsonOf(text));
  };
  const met = runs.flatMap(({ calls, writes }) =>
    [
      ...calls.flatMap(({ i, name, args, answer }) =>
        name === "getKeyData" ? [{ i, key: args[0] ?? "", text: answer }] : [],
      ),
      ...writes.map(({ i, key, before: text }) => ({ i, key, text })),
    ].sort((a, b) => a.i - b.i),
  );
  for (const { key, text } of met) meet(key, text);
  return Object.fromEntries([...before].filter(([, session]) => session !== undefined));
}

/** JSON, its numbers to the digit; a text that is not JSON stays one. */
function jsonOf(text: string | undefined): unknown {
  if (text === undefined) return null;
  try {
    return JSON.parse(text, exactly as (name: string, value: unknown) => unknown);
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

/** With the members of each object in the order of their names, so that two files differ only where they must. */
export const testCaseText = (test: TestCase) => `${JSON.stringify(sorted(test), undefined, 2)}\n`;

function sorted(value: unknown): unknown {
  if (typeof value !== "object" || value === null || exact.isRawJSON(value)) return value;
  if (Array.isArray(value)) return value.map(sorted);
  const members = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(members.map(([name, each]) => [name, sorted(each)]));
}
