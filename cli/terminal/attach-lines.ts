import { relative, resolve } from "node:path";
import type { Patched, Run, Stay } from "../../lib/attach/patch.ts";
import type { Findings } from "../../lib/releases/examine.ts";
import { CONF_MEMBERS } from "../gateway-files.ts";
import type { GatewayPlaces } from "../gateway-folder.ts";
import type { Put } from "../put-files.ts";
import { lineWidth, table } from "./layout.ts";
import { print, printError, printText } from "./print.ts";
import { problemLines } from "./problem-lines.ts";

/** The written files, and where handlers run from then on, as printed by `--json`. */
export interface AttachReport extends Omit<Patched, "files">, Findings {
  url: string;
  dir: string;
  out: string;
  /** The template's path in the gateway. */
  template: string;
  dryRun: boolean;
  /** By path; the project's files relative to its folder. */
  files: { path: string; put: Put }[];
  /** Definitions of an earlier run in `out`, which must not be copied any longer. */
  stale: string[];
}

/**
 * Prints the written files, where handlers run from then on, and the manual steps; `commands` come before those on the
 * gateway's host.
 */
export function sayAttached(report: AttachReport, places: GatewayPlaces, commands: string[] = []): void {
  const { runs, stays, errors, warnings, url } = report;
  sayFiles(report);
  print(
    "",
    runs.length > 0
      ? `gatehook runs these, and the gateway sends the events to ${url}:`
      : "No handler moves.",
  );
  if (runs.length > 0) print(...table(["api", "event", "handlers"].map(column), runs.map(runRow), width()));
  if (stays.length > 0) {
    print("", "These stay in the gateway:");
    print(...table(["api", "event", "kind"].map(column), stays.map(stayRow), width()));
  }
  if (warnings.length + errors.length > 0) print("");
  for (const problem of warnings) print(...problemLines("warning", problem));
  for (const problem of errors) printError(...problemLines("error", problem));
  if (errors.length > 0)
    print("", "What has an error would not go live, so its handlers stay in the gateway.");
  sayCommands(commands);
  if (!report.dryRun) sayNext(report, places, commands.length > 0 ? "Then" : "Next");
}

/** The commands to run next. */
export function sayCommands(commands: string[]): void {
  if (commands.length > 0) print("", "Next:", "", ...commands.map((command) => `  ${command}`));
}

const WORDS: Record<Exclude<Put, "same">, [done: string, would: string]> = {
  written: ["wrote", "would write"],
  replaced: ["replaced", "would replace"],
  kept: ["kept", "would keep"],
};

/** Also for `detach`. Files that are the same are not listed. */
export function sayFiles({ files, stale, dryRun }: Pick<AttachReport, "files" | "stale" | "dryRun">): void {
  const told = files.flatMap(({ path, put }) => (put === "same" ? [] : [{ path, put }]));
  const words = told.map(({ put }) => WORDS[put][dryRun ? 1 : 0]);
  const longest = Math.max(0, ...words.map(({ length }) => length));
  print(...told.map(({ path }, at) => `  ${words[at]?.padEnd(longest)}  ${path}`));
  if (told.length === 0) print("Nothing has changed.");
  if (told.some(({ put }) => put === "kept"))
    printText("The files that were kept differ from the gateway's: --force replaces them.");
  for (const path of stale) printText(`${path} is of an earlier run: remove it before you copy.`);
}

const column = (head: string) => ({ head: head.toUpperCase() });
const width = () => lineWidth(process.stdout);

const runRow = ({ api, type, handlers }: Run) => ({
  cells: [api, type, handlers.map(({ name, path }) => `${name} (${path})`).join(", ")],
});
const stayRow = ({ api, type, kind }: Stay) => ({ cells: [api, type, kind] });

function sayNext(
  { out, template, files }: AttachReport,
  { apps, scripts, tykConf }: GatewayPlaces,
  when: string,
): void {
  const there = relative(process.cwd(), out) || ".";
  const has = (name: string) => files.some(({ path }) => path.endsWith(name));
  print("", `${when}, on each gateway host:`, "");
  print(`  copy ${there}/templates/full_event.json to ${resolve(scripts, template)}`);
  if (files.some(({ path }) => /(^|\/)apps\//.test(path))) print(`  copy ${there}/apps/ over ${apps}`);
  if (tykConf && has(CONF_MEMBERS))
    print(`  replace the members of ${tykConf} by those of ${there}/${CONF_MEMBERS}`);
  print("  restart the gateway");
}
