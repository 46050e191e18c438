import { errorText } from "../lib/errors.ts";
import type { ReleaseReport } from "../lib/releases/report.ts";
import { readSourceFiles } from "../local/files.ts";
import type { Stack } from "../local/stack.ts";
import { heldLines } from "./held-back.ts";
import { printError } from "./print.ts";
import { problemLines, textsOf } from "./problem-lines.ts";
import { row } from "./timeline.ts";
import { watchSources } from "./watch.ts";

/** A folder whose every save becomes a release of the stack. */
export interface LiveFolder {
  /** Uploads what differs from what was uploaded last; undefined when nothing does. */
  upload(): Promise<ReleaseReport | undefined>;
  /** Uploads at every save, until it is called. */
  follow(): () => void;
}

export function createLiveFolder(
  stack: Stack,
  folder: string,
  say: (...lines: string[]) => void,
): LiveFolder {
  let uploaded = new Map<string, string>();
  let told = "";

  function tell(report: ReleaseReport, textOf: ReturnType<typeof textsOf>): void {
    const { version, apis, scripts, errors, warnings, held } = report;
    for (const problem of warnings) say(...problemLines("warning", problem, textOf));
    for (const problem of errors) printError(...problemLines("error", problem, textOf));
    // Unchanged since the stack's own notice of this upload came first.
    const isLive = report.result !== "refused" && (report.result !== "unchanged" || version !== told);
    if (held) {
      printError(`only a part is live, as release ${version}: ${apis} API(s), ${scripts} script(s)`);
      printError(...heldLines(held));
    } else if (isLive) say(`release ${version} is live: ${apis} API(s), ${scripts} script(s)`);
    else if (report.result === "unchanged")
      say(`release ${version} was made of the same files: nothing to flip`);
    else printError(`release ${version} was refused: what was live before goes on`);
    told = version;
  }

  async function upload(): Promise<ReleaseReport | undefined> {
    const files = await readSourceFiles(folder);
    const now = new Map(files.map(({ path, text }) => [path, text]));
    const changed = files.filter(({ path, text }) => uploaded.get(path) !== text);
    const removed = [...uploaded.keys()].filter((path) => !now.has(path));
    if (changed.length + removed.length === 0) return undefined;
    if (uploaded.size > 0) {
      for (const { path } of changed) say(`  ${row("saved", path)}`);
      for (const path of removed) say(`  ${row("removed", path)}`);
    }
    await Promise.all(changed.map((file) => stack.releases.writeSource(file)));
    await Promise.all(removed.map((path) => stack.releases.removeSource(path)));
    uploaded = now;
    const report = await stack.release();
    tell(report, textsOf(files));
    return report;
  }

  return {
    upload,
    follow() {
      // One after the other: a save while a release is made is part of the next.
      let last: Promise<unknown> = Promise.resolve();
      const watch = watchSources(folder, () => {
        last = last.then(upload).catch((thrown) => say(`  ${row("problem", errorText(thrown))}`));
      });
      return () => watch.close();
    },
  };
}
