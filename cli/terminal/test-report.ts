import { junit, tap } from "node:test/reporters";
import type { Mismatch } from "../../lib/history/test-run.ts";
import { lineHunks } from "../../lib/line-hunks.ts";
import { countOf } from "./count.ts";
import { print } from "./print.ts";
import { linesOf } from "./printable.ts";
import { memberChanges } from "./session-changes.ts";

/** The result of one test. */
export interface Tested {
  /** `gracePeriod/one-more-day`. */
  name: string;
  path: string;
  ms: number;
  /** The lines of its failure; empty if it passed. */
  lines: string[];
  isUpdated: boolean;
}

const REPORTERS = ["spec", "tap", "junit"] as const;
/** `spec` is for people, `tap` and `junit` for CI systems. */
export type Reporter = (typeof REPORTERS)[number];

/** Prints all tests. The caller sets the exit code. */
export async function report(tested: Tested[], reporter: Reporter): Promise<void> {
  if (reporter === "spec") return reportSpec(tested);
  const made: string[] = [];
  for await (const text of (reporter === "tap" ? tap : junit)(eventsOf(tested) as never)) made.push(text);
  print(...linesOf(made.join("").trimEnd()));
}

function reportSpec(tested: Tested[]): void {
  for (const { name, ms, lines, isUpdated } of tested) {
    const mark = isUpdated ? "↻" : lines.length > 0 ? "✗" : "✓";
    print(`${mark} ${name}  ${isUpdated ? "updated" : `${ms} ms`}`);
    if (!isUpdated) print(...lines.map((line) => `    ${line}`));
  }
  const failed = tested.filter(({ lines, isUpdated }) => lines.length > 0 && !isUpdated).length;
  const updated = tested.filter(({ isUpdated }) => isUpdated).length;
  const passed = tested.length - failed - updated;
  const counts = [`${passed} passed`, failed && `${failed} failed`, updated && `${updated} updated`];
  print("", `${countOf(tested.length, "test")}: ${counts.filter(Boolean).join(", ")}`);
}

/** The events that Node's own test runner sends to its reporters. */
async function* eventsOf(tested: Tested[]) {
  for (const [at, { name, path, ms, lines }] of tested.entries()) {
    const data = { name, nesting: 0, testNumber: at + 1, file: path, line: 1, column: 1 };
    yield { type: "test:start", data };
    const details = { duration_ms: ms, type: "test" };
    if (lines.length === 0) yield { type: "test:pass", data: { ...data, details } };
    else yield { type: "test:fail", data: { ...data, details: { ...details, error: errorOf(lines) } } };
  }
  yield { type: "test:plan", data: { nesting: 0, count: tested.length } };
}

function errorOf(lines: string[]): Error {
  const error = new Error(lines.join("\n"));
  // The reporters print the whole stack, and ours does not concern the test.
  error.stack = "";
  return Object.assign(error, { failureType: "testCodeFailure" });
}

/** The text about the expected and the actual value. */
export function mismatchLines({ place, expected, actual }: Mismatch): string[] {
  const [, member] = place;
  if (place[0] === "http") return [`no handler asked for this: ${textOf(expected)}`];
  if (member === "sessions") return sessionLines(String(place[2]), expected, actual);
  if (Array.isArray(expected) && Array.isArray(actual))
    return [`${member} differ, - expected, + now:`, ...lineHunks(expected.map(rowOf), actual.map(rowOf))];
  return [`${member ?? place[0]}: expected ${textOf(expected)}, but it is ${textOf(actual)}`];
}

function sessionLines(key: string, expected: unknown, actual: unknown): string[] {
  if (expected === undefined)
    return [`session ${key} was changed, which was not expected: ${textOf(actual)}`];
  if (actual === undefined) return [`session ${key} was not changed`];
  if (expected === null || actual === null)
    return [`session ${key} was ${actual === null ? "deleted" : "not deleted"}`];
  return memberChanges(expected as object as Members, actual as Members).map(
    (change) => `session ${key}, expected → now: ${change}`,
  );
}

type Members = Record<string, unknown>;

const rowOf = (value: unknown): string => {
  if (typeof value === "string") return value;
  const { handler = "", level = "", text = "" } = value as Record<string, string>;
  return [handler, level, text].filter(Boolean).join(" ");
};

const textOf = (value: unknown) => (value === undefined ? "not there" : JSON.stringify(value));
