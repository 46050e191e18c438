import { stat } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { errorText } from "../../lib/errors.ts";
import { createTurns } from "../../lib/in-turn.ts";
import type { Findings } from "../../lib/releases/examine.ts";
import type { ReleaseReport } from "../../lib/releases/report.ts";
import { isMap, type SourceFile } from "../../lib/releases/sources.ts";
import type { Folders } from "../../lib/settings/project.ts";
import type { Stack } from "../../local/stack.ts";
import type { Sources } from "../bundle/sources.ts";
import { readFolder, withSources } from "../folder.ts";
import { heldLines } from "../held-back.ts";
import { carryOut, isEmpty, type Plan, planChanges, planUpload } from "../stage/upload.ts";
import { sizeText } from "../terminal/count.ts";
import { errorFrame } from "../terminal/error-frame.ts";
import { printError } from "../terminal/print.ts";
import { problemLines } from "../terminal/problem-lines.ts";
import { row } from "../terminal/timeline.ts";
import type { LogLine } from "./log-lines.ts";
import { type SourceWatch, watchSources } from "./watch.ts";

/** A folder of which every save makes a release of the stack. */
export interface LiveFolder {
  /** As last read. */
  readonly files: SourceFile[];
  /** Makes the bucket the same as the folder, and makes a release. */
  upload(): Promise<ReleaseReport>;
  /** Uploads the differences at every save after the first upload, until the returned function is called. */
  follow(): Promise<() => Promise<void>>;
  /** Called with the files of each save that changes something, before they are uploaded. */
  onSave(listener: (sources: Sources) => void): void;
  /** Whether an upload of this folder already reports this fact. */
  tells(fact: LogLine): boolean;
  /** A text of a script of this release, with the places of its stack mapped to the files of the folder. */
  atSources(text: string, release?: unknown): string;
  /** The source line of an error of a script of this release; empty if unknown. */
  frameOf(error: string, release?: unknown): string[];
}

/**
 * The time between two reads without a hint: the system may refuse a watch, or not report changes of a shared folder.
 */
const LOOK_MS = 2_000;
/** These reads take at most one part in this number of the time, however large the folder is. */
const LOOK_SHARE = 50;
/** Some editors empty a file before they write it: an empty file is read again this often, with this pause. */
const EMPTY_LOOKS = 3;
const EMPTY_MS = 50;

function hasEmptied(before: Sources, now: Sources): boolean {
  const had = new Set(before.files.flatMap(({ path, text }) => (text === "" ? [] : [path])));
  return now.files.some(({ path, text }) => text === "" && had.has(path));
}

/**
 * It reads nothing before `upload`. `names`: the folders' names in gatehook.json; `onRelease` is called after each
 * release.
 */
export function createLiveFolder(
  stack: Stack,
  folder: string,
  names: Folders,
  say: (...lines: string[]) => void,
  onRelease: () => void = () => {},
): LiveFolder {
  const sayRow = (what: string, text: string) => say(`  ${row(what, text)}`);
  let sources: Sources | undefined;
  let opened = false;
  const released = createReleased();
  let uploaded: Map<string, string> | undefined;
  let readMs = 0;
  let told = "";
  let building = false;
  let trouble = "";
  const listeners: ((sources: Sources) => void)[] = [];
  const sourcesOf = (release: unknown) => released.of(release) ?? sources;
  /** One after the other: a save during a release is part of the next one. */
  const inTurn = createTurns();

  async function read(): Promise<Sources> {
    const before = sources;
    const started = performance.now();
    sources = await readFolder(folder, names);
    readMs = performance.now() - started;
    for (let again = 0; before && again < EMPTY_LOOKS && hasEmptied(before, sources); again += 1) {
      await delay(EMPTY_MS);
      sources = await readFolder(folder, names);
    }
    return sources;
  }

  async function release(plan: Plan, from: Sources): Promise<ReleaseReport> {
    try {
      const report = await stack.release(async () => {
        await carryOut(plan, stack.releases);
        uploaded = new Map(from.files.map(({ path, text }) => [path, text]));
        building = true;
      });
      released.add(report.version, from);
      await tell(report, from);
      onRelease();
      return report;
    } finally {
      building = false;
    }
  }

  function sayProblems({ errors, warnings }: Findings, { textOf }: Sources): void {
    for (const problem of warnings) say(...problemLines("warning", problem, textOf));
    for (const problem of errors) printError(...problemLines("error", problem, textOf));
  }

  async function tell(report: ReleaseReport, from: Sources): Promise<void> {
    const { version, result, held } = report;
    sayProblems(withSources(report, from), from);
    const size = sizeText(report);
    // It is also unchanged if the stack's own notification of this upload has already made it live.
    const live = result === "unchanged" ? await stack.releases.liveVersion() : version;
    if (result === "refused") printError(`release ${version} was refused: the live release stays`);
    else if (live !== version) say(`release ${version} was rolled back: release ${live} is live`);
    else if (held) printError(`only a part is live, as release ${version}: ${size}`, ...heldLines(held));
    else if (result === "unchanged" && version === told)
      say(`release ${version} was made of the same files: nothing to flip`);
    else say(`release ${version} is live: ${size}`);
    told = version;
  }

  /** The report for a folder with scripts that cannot be bundled. */
  function refuse(from: Sources): ReleaseReport {
    const findings = { errors: from.problems, warnings: from.warnings };
    const text = JSON.stringify(findings);
    if (text !== trouble) {
      sayProblems(findings, from);
      printError("nothing was uploaded: the live release stays");
    }
    trouble = text;
    return { version: "", result: "refused", apis: 0, scripts: 0, ...findings };
  }

  const planOf = async ({ files }: Sources) =>
    uploaded ? planChanges(files, uploaded) : planUpload(files, await stack.releases.listSources());

  /** Whether there was anything to upload. */
  async function catchUp(): Promise<boolean> {
    if (!opened) return false; // the first upload reads the folder later
    const from = await read();
    if (from.problems.length > 0) {
      refuse(from);
      return false;
    }
    const plan = await planOf(from);
    if (trouble && isEmpty(plan)) sayRow("back", "all can be read again, and nothing has changed");
    trouble = "";
    if (isEmpty(plan)) return false;
    for (const path of seen(plan.upload.map((file) => file.path)))
      sayRow("saved", from.places.sourceOf(path) ?? path);
    for (const path of seen(plan.remove)) sayRow("removed", path);
    for (const listener of listeners) listener(from);
    await release(plan, from);
    return true;
  }

  /** A save must not end the stack; the same error is reported once. */
  async function tellTrouble(thrown: unknown): Promise<void> {
    const away = await awayFrom(folder, names);
    const text = away.length > 0 ? `${away.join(" and ")} not there` : errorText(thrown);
    if (text !== trouble) sayRow(away.length > 0 ? "waiting" : "problem", `${text}: the live release stays`);
    trouble = text;
  }

  /** Never rejects: a save must not end the stack. */
  const catchUpUntil = (signal: AbortSignal) => () =>
    inTurn(async () => !signal.aborted && (await catchUp())).catch(async (thrown: unknown) => {
      if (!signal.aborted) await tellTrouble(thrown);
      return false;
    });

  /** The content of scripts that could not be bundled is unknown: then the watch is not changed. */
  function followInputs(watch: SourceWatch): void {
    if (sources && sources.problems.length === 0) watch.also(sources.inputs);
  }

  async function lookNowAndThen(watch: SourceWatch, look: () => Promise<boolean>, signal: AbortSignal) {
    for (;;) {
      const pause = Math.max(LOOK_MS, LOOK_SHARE * readMs);
      await delay(pause, undefined, { signal }).catch(() => {});
      if (signal.aborted) return;
      const { hints } = watch;
      followInputs(watch);
      if ((await look()) && hints === watch.hints) await watch.reopen();
    }
  }

  return {
    get files() {
      return sources?.files ?? [];
    },
    upload: () =>
      inTurn(async () => {
        const from = await read();
        opened = true;
        return from.problems.length > 0 ? refuse(from) : release(await planOf(from), from);
      }),
    onSave: (listener) => void listeners.push(listener),
    atSources: (text, release) => sourcesOf(release)?.places.text(text) ?? text,
    frameOf(error, release) {
      const from = sourcesOf(release);
      return from ? errorFrame(from.places.text(error), from.textOf) : [];
    },
    tells: ({ message, fields }) =>
      (message === "release refused" || message === "release partly live") &&
      (building || String(fields.release) === told),
    async follow() {
      const stop = new AbortController();
      const look = catchUpUntil(stop.signal);
      let warned = false;
      const watch = await watchSources(folder, names, {
        onChange: () => void look().then(() => followInputs(watch)),
        onError({ message }) {
          if (!warned) sayRow("watch", `some saves are seen only after ${LOOK_MS / 1000} s: ${message}`);
          warned = true;
        },
      });
      void lookNowAndThen(watch, look, stop.signal);
      return async () => {
        stop.abort();
        await watch.close();
      };
    },
  };
}

/** A source map is reported with its script. */
const seen = (paths: string[]) =>
  paths.filter((path) => !isMap(path) || !paths.includes(path.slice(0, -".map".length)));

const KEPT = 20;

/** The source files of the scripts of the newest releases. */
function createReleased() {
  const kept = new Map<unknown, Sources>();
  return {
    of: (release: unknown) => kept.get(release),
    add(release: string, sources: Sources) {
      kept.delete(release);
      kept.set(release, sources);
      for (const oldest of kept.keys()) if (kept.size > KEPT) kept.delete(oldest);
    },
  };
}

/** The missing folders of the two. */
async function awayFrom(folder: string, names: Folders): Promise<string[]> {
  const paths = Object.values(names).map((name) => `${name}/`);
  const there = await Promise.all(
    paths.map((path) =>
      stat(join(folder, path)).then(
        (found) => found.isDirectory(),
        () => false,
      ),
    ),
  );
  return paths.filter((_, at) => !there[at]);
}
