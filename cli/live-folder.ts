import { errorText } from "../lib/errors.ts";
import type { ReleaseReport } from "../lib/releases/report.ts";
import type { SourceFile } from "../lib/releases/sources.ts";
import { readSourceFiles } from "../local/files.ts";
import type { Stack } from "../local/stack.ts";
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

export function createLiveFolder(stack: Stack, folder: string, say: (line: string) => void): LiveFolder {
  let uploaded = new Map<string, string>();

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
    for (const line of reportLines(report, files)) say(line);
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

function reportLines(report: ReleaseReport, files: SourceFile[]): string[] {
  const { result, version, apis, scripts, errors, warnings } = report;
  const textOf = textsOf(files);
  const problems = [
    ...warnings.flatMap((problem) => problemLines("warning", problem, textOf)),
    ...errors.flatMap((problem) => problemLines("error", problem, textOf)),
  ];
  if (result === "live")
    return [...problems, `release ${version} is live: ${apis} API(s), ${scripts} script(s)`];
  if (result === "unchanged") return [...problems, `release ${version} was built already: nothing to flip`];
  return [...problems, `release ${version} was refused: what was live before goes on`];
}
