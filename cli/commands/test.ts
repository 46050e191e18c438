import { writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { createLocalReferences } from "../../functions/local-references.ts";
import { readRuntimeSettings } from "../../functions/runtime-settings.ts";
import { flag } from "../../functions/settings.ts";
import { createConfigData } from "../../lib/consumer/config-data.ts";
import { AppError, errorText } from "../../lib/errors.ts";
import { parseExactly, type TestCase, testCaseText } from "../../lib/history/test-case.ts";
import { runTest, type TestDeps, type TestResult } from "../../lib/history/test-run.ts";
import { createTurns } from "../../lib/in-turn.ts";
import { openRelease } from "../../lib/releases/release.ts";
import { loadAssets } from "../../lib/runtime/assets.ts";
import { startRuntime } from "../../lib/runtime/runtime.ts";
import { tenths } from "../../lib/tenths.ts";
import type { Sources } from "../bundle/sources.ts";
import { devSettings } from "../dev/settings.ts";
import { type SourceWatch, watchSources } from "../dev/watch.ts";
import { readFolder } from "../folder.ts";
import { readProject } from "../project.ts";
import { targetOfSources } from "../rerun-target.ts";
import { errorFrame } from "../terminal/error-frame.ts";
import { interruption, whenAborted } from "../terminal/interrupt.ts";
import { print, printErrorText } from "../terminal/print.ts";
import { linesOf, ownFrames } from "../terminal/printable.ts";
import { QUIET } from "../terminal/quiet.ts";
import { mismatchLines, type Reporter, report, type Tested } from "../terminal/test-report.ts";
import { lineOf, readTests, TESTS, type TestFile } from "../test-files.ts";

/** `dir`: the folder with `tests/` and the tested files. */
export interface TestOptions {
  dir: string;
  /** Writes the results as the expected results. */
  update?: boolean;
  watch?: boolean;
  reporter: Reporter;
}

/** `gatehook test`: runs the tests of a folder on its files. Exit code 1 if one fails. */
export async function test(named: string[], options: TestOptions): Promise<void> {
  const dir = resolve(options.dir);
  if (!options.watch) {
    const tested = await runTests(dir, named, options);
    if (tested.some(isFailed)) process.exitCode = 1;
    return;
  }
  await watchTests(dir, named, options);
}

const isFailed = ({ lines, isUpdated }: Tested) => lines.length > 0 && !isUpdated;

async function runTests(
  dir: string,
  named: string[],
  options: TestOptions,
  onSources: (sources: Sources) => void = () => {},
): Promise<Tested[]> {
  const files = await readTests(dir, named);
  if (files.length === 0) {
    printErrorText(
      `there is no test in ${join(dir, TESTS)} yet: gatehook events save last ${TESTS}/<handler>/<name>.json makes one of an event`,
    );
    return [];
  }
  const project = await readProject(dir);
  const sources = await readFolder(dir, project.folders);
  onSources(sources);
  const { version, release } = targetOfSources(sources);
  const { settings } = devSettings(project, process.env, {});
  const { limits } = readRuntimeSettings(settings);
  // One sandbox runs all tests one after the other, each with freshly loaded scripts.
  const runtime = await startRuntime(release.scripts, {
    assets: loadAssets(),
    isolation: "event",
    limits,
    tellUsed: true,
    replay: { clock: [Date.parse("2026-01-01")] },
  });
  try {
    const [fault] = runtime.faults;
    if (fault) {
      const { name, message, stack } = fault.error;
      throw new AppError(
        "release-invalid",
        sources.places.text(`${fault.path}: ${name}: ${message}\n${stack}`).trimEnd(),
      );
    }
    const deps: TestDeps = {
      runtime,
      release: openRelease(version, release),
      configOf: createConfigData({ read: createLocalReferences(process.env), log: QUIET.log }),
      timeoutMs: limits.timeoutMs,
      allowMasterKeys: flag(settings, "ALLOW_MASTER_KEYS"),
    };
    const tested: Tested[] = [];
    for (const file of files) tested.push(await runFile(file, deps, sources, options));
    await report(tested, options.reporter);
    return tested;
  } finally {
    await runtime.close();
  }
}

async function runFile(
  file: TestFile,
  deps: TestDeps,
  sources: Sources,
  options: TestOptions,
): Promise<Tested> {
  const { path, text } = file;
  const name = file.name.replace(new RegExp(`^${TESTS}/`), "").replace(/\.json$/, "");
  const started = performance.now();
  const done = (lines: string[], isUpdated = false): Tested => ({
    name,
    path,
    ms: tenths(performance.now() - started),
    lines,
    isUpdated,
  });
  if (!file.test) return done([`${file.name}:${file.fault?.line}: ${file.fault?.message}`]);
  try {
    const result = await runTest(file.test, deps);
    if (result.mismatches.length === 0) return done([]);
    if (options.update && result.mismatches.every(({ place }) => place[0] === "expect")) {
      await writeFile(path, testCaseText({ ...(parseExactly(text) as TestCase), expect: result.now }));
      return done([], true);
    }
    return done(failureLines(file, result, sources));
  } catch (thrown) {
    if (thrown instanceof AppError) return done([errorText(thrown)]);
    throw thrown;
  }
}

function failureLines(
  { name, text }: TestFile,
  { mismatches, error }: TestResult,
  sources: Sources,
): string[] {
  const atSources = sources.places.text;
  const lines = mismatches.flatMap((mismatch) => {
    const [first = "", ...more] = mismatchLines(mismatch).map(atSources);
    return [`${name}:${lineOf(text, mismatch.place)}: ${first}`, ...more];
  });
  const said = ownFrames(atSources(error));
  return [...lines, ...(said ? linesOf(said) : []), ...errorFrame(said, sources.textOf)];
}

/** Repeats the tests after each save, until Ctrl+C. */
async function watchTests(dir: string, named: string[], options: TestOptions): Promise<void> {
  const stop = interruption();
  const { folders } = await readProject(dir);
  const inTurn = createTurns();
  const tests = join(dir, TESTS);
  let watch: SourceWatch | undefined;
  /**
   * Scripts may import files from anywhere. If one cannot be bundled, its files are unknown, and the watch is not
   * changed.
   */
  function follow({ inputs, problems }: Sources): void {
    if (problems.length === 0) watch?.also([tests, ...inputs]);
  }
  const run = () => {
    void inTurn(async () => {
      if (stop.aborted) return;
      await runTests(dir, named, options, follow).catch((thrown: unknown) =>
        printErrorText(errorText(thrown)),
      );
      print("", "waiting for the next save; Ctrl+C ends");
    });
  };
  watch = await watchSources(dir, folders, {
    onChange: run,
    onError: ({ message }) => printErrorText(message),
  });
  watch.also([tests]);
  try {
    run();
    await whenAborted(stop).catch(() => {});
  } finally {
    await watch.close();
    await inTurn(() => {});
  }
}
