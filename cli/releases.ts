import type { HistoryEntry } from "../lib/releases/report.ts";
import { openReleaseStore } from "./release-store.ts";

/** `gatehook releases`: every release, the newest upload first. */
export async function releases({ json }: { json?: boolean }): Promise<void> {
  const store = openReleaseStore();
  const [{ version: live }, history] = await Promise.all([store.pointer(), store.history()]);
  if (json) {
    console.log(JSON.stringify(history.map((entry) => ({ ...entry, live: entry.version === live }))));
    return;
  }
  if (history.length === 0) console.log("there is no release yet: gatehook push makes one");
  else console.log([HEAD, ...history.map((entry) => rowOf(entry, live))].map(asLine).join("\n"));
}

type Row = [
  version: string,
  result: string,
  built: string,
  apis: string,
  scripts: string,
  errors: string,
  warnings: string,
];

const HEAD: Row = ["RELEASE", "RESULT", "BUILT", "APIS", "SCRIPTS", "ERRORS", "WARNINGS"];

function rowOf(entry: HistoryEntry, live: string | undefined): Row {
  const { version, built_at, apis, scripts, error_count, warning_count } = entry;
  return [
    version,
    resultOf(entry, live),
    built_at.replace(/\.\d+Z$/, "Z"),
    ...[apis, scripts, error_count, warning_count].map(String),
  ] as Row;
}

function resultOf({ version, result, live_at }: HistoryEntry, live: string | undefined): string {
  if (version === live) return "live";
  return result === "live" && live_at ? "was live" : result;
}

const asLine = ([version, result, built, ...counts]: Row) =>
  [version.padEnd(16), result.padEnd(8), built.padEnd(20), ...counts.map((count) => count.padStart(8))].join(
    "  ",
  );
