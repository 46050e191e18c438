import { AppError } from "../lib/errors.ts";
import type { HistoryEntry } from "../lib/releases/report.ts";
import { heldLines } from "./held-back.ts";
import { print, printJson } from "./print.ts";
import { problemLines } from "./problem-lines.ts";
import { openReleaseStore } from "./release-store.ts";

/** `gatehook releases`: every release, the newest upload first; with a version, the report of that one. */
export async function releases(version: string | undefined, { json }: { json?: boolean }): Promise<void> {
  const store = openReleaseStore();
  if (version) return tell(version, await store.entry(version), json);
  const [{ version: live }, history] = await Promise.all([store.pointer(), store.history()]);
  if (json) {
    printJson(history.map((entry) => ({ ...entry, live: entry.version === live })));
    return;
  }
  if (history.length === 0) print("there is no release yet: gatehook push makes one");
  else print(...table([HEAD, ...history.map((entry) => rowOf(entry, live))]));
}

function tell(version: string, entry: HistoryEntry | undefined, json: boolean | undefined): void {
  if (!entry)
    throw new AppError("release-missing", `there is no release ${version}: gatehook releases lists them`);
  if (json) {
    printJson(entry);
    return;
  }
  const { result, built_at, apis, scripts, errors, warnings, held, changes } = entry;
  const what = result === "partly" ? "live in part" : result;
  print(`release ${version}: ${what}, built ${built_at}, ${apis} API(s), ${scripts} script(s)`);
  for (const [kind, { added, changed, removed }] of Object.entries(changes ?? {}))
    for (const [what, names] of Object.entries({ added, changed, removed }))
      if (names.length > 0) print(`${what.padEnd(9)}${kind}: ${names.join(", ")}`);
  if (held) print(...heldLines(held));
  for (const problem of warnings) print(...problemLines("warning", problem));
  for (const problem of errors) print(...problemLines("error", problem));
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
  const what = result === "partly" ? "partly live" : "live";
  if (version === live) return what;
  return result !== "refused" && live_at ? `was ${what}` : result;
}

/** The results are as wide as the widest of them. */
function table(rows: Row[]): string[] {
  const width = Math.max(8, ...rows.map(([, result]) => result.length));
  return rows.map(([version, result, built, ...counts]) =>
    [
      version.padEnd(16),
      result.padEnd(width),
      built.padEnd(20),
      ...counts.map((count) => count.padStart(8)),
    ].join("  "),
  );
}
