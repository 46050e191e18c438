import { AppError } from "../../lib/errors.ts";
import type { HistoryEntry } from "../../lib/releases/report.ts";
import { heldLines } from "../held-back.ts";
import { openReleaseStore } from "../stage/release-store.ts";
import { sizeText } from "../terminal/count.ts";
import { type Column, lineWidth, table, utcTime, wrapped } from "../terminal/layout.ts";
import { print, printJson, printText } from "../terminal/print.ts";
import { problemLines } from "../terminal/problem-lines.ts";

/** `gatehook releases`: lists all releases, the newest upload first; with a version, shows its report. */
export async function releases(version: string | undefined, { json }: { json?: boolean }): Promise<void> {
  const store = openReleaseStore();
  if (version) return tell(version, await store.entry(version), json);
  const [{ version: live }, history] = await Promise.all([store.pointer(), store.history()]);
  if (json) {
    printJson(history.map((entry) => ({ ...entry, live: entry.version === live })));
    return;
  }
  if (history.length === 0) printText("there is no release yet: gatehook push makes one");
  else
    print(
      ...table(
        COLUMNS,
        history.map((entry) => ({ cells: cellsOf(entry, live) })),
        lineWidth(),
      ),
    );
}

function tell(version: string, entry: HistoryEntry | undefined, json: boolean | undefined): void {
  if (!entry)
    throw new AppError("release-missing", `there is no release ${version}: gatehook releases lists them`);
  if (json) {
    printJson(entry);
    return;
  }
  const { result, built_at, errors, warnings, held, changes } = entry;
  printText(
    `release ${version}: ${result === "partly" ? "live in part" : result}, built ${built_at}, ${sizeText(entry)}`,
  );
  for (const [kind, { added, changed, removed }] of Object.entries(changes ?? {}))
    for (const [what, names] of Object.entries({ added, changed, removed }))
      if (names.length > 0)
        print(...wrapped(`${what.padEnd(9)}${kind}: ${names.join(", ")}`, lineWidth(), " ".repeat(9)));
  if (held) print(...heldLines(held));
  for (const problem of warnings) print(...problemLines("warning", problem));
  for (const problem of errors) print(...problemLines("error", problem));
}

const COLUMNS: Column[] = [
  { head: "RELEASE" },
  { head: "RESULT" },
  { head: "BUILT (UTC)" },
  { head: "APIS", align: "right" },
  { head: "SCRIPTS", align: "right" },
  { head: "ERRORS", align: "right" },
  { head: "WARNINGS", align: "right" },
];

function cellsOf(entry: HistoryEntry, live: string | undefined): string[] {
  const { version, built_at, apis, scripts, error_count, warning_count } = entry;
  const counts = [apis, scripts, error_count, warning_count].map(String);
  return [version, resultOf(entry, live), utcTime(built_at), ...counts];
}

function resultOf({ version, result, live_at }: HistoryEntry, live: string | undefined): string {
  const what = result === "partly" ? "partly live" : "live";
  if (version === live) return what;
  return result !== "refused" && live_at ? `was ${what}` : result;
}
