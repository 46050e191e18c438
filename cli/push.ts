import { setTimeout as delay } from "node:timers/promises";
import { AppError } from "../lib/errors.ts";
import type { HistoryEntry } from "../lib/releases/report.ts";
import type { Problem } from "../lib/releases/sources.ts";
import type { Pointer, ReleaseStore } from "../lib/releases/store.ts";
import { type CheckedFolder, checkFolder } from "./folder.ts";
import { print, printError, printErrorText, printText } from "./print.ts";
import { problemLines, textsOf } from "./problem-lines.ts";
import { openReleaseStore } from "./release-store.ts";
import { carryOut, isEmpty, planUpload } from "./upload.ts";

export interface PushOptions {
  dir: string;
  dryRun?: boolean;
}

const WAIT_MS = 60_000;
const LOOK_MS = 200;

/** `gatehook push`: makes the bucket the same as the folder, and waits for what the releaser says. */
export async function push({ dir, dryRun }: PushOptions): Promise<void> {
  const store = openReleaseStore();
  const folder = await checkFolder(dir);
  const textOf = textsOf(folder.files);
  for (const problem of folder.warnings) print(...problemLines("warning", problem, textOf));
  if (folder.errors.length > 0) {
    refuse("nothing was uploaded; fix this first:", folder.errors, folder);
    return;
  }
  const plan = planUpload(folder.files, await store.listSources());
  // Nothing to upload, and yet no release of it: the releaser has missed it, or somebody deleted the object.
  const missing = isEmpty(plan) && (await whyMissing(store, folder));
  if (missing) {
    printText(`${missing}: to wake the releaser, one file is uploaded again`);
    plan.upload = folder.files.slice(0, 1);
  }
  const verb = dryRun ? "would " : "";
  for (const { path } of plan.upload) print(`${verb}upload ${path}`);
  for (const path of plan.remove) print(`${verb}remove ${path}`);
  if (dryRun) {
    printText(`release ${folder.version} would go live; nothing was uploaded`);
    return;
  }
  const before = await store.pointer();
  await carryOut(plan, store);
  const entry = await verdict(store, folder, before);
  if (missing && entry.result === "live") await untilWritten(store, folder);
  conclude(folder, before, entry);
}

/** Tells what is wrong, and ends with 1. */
function refuse(what: string, errors: Problem[], { files }: CheckedFolder): void {
  printErrorText(`gatehook: ${what}`);
  printError(...errors.flatMap((error) => problemLines("error", error, textsOf(files))));
  process.exitCode = 1;
}

/** Why the release of this folder cannot be read; undefined when it can. */
async function whyMissing(store: ReleaseStore, { version }: CheckedFolder): Promise<string | undefined> {
  try {
    await store.read(version);
    return undefined;
  } catch (thrown) {
    if (!(thrown instanceof AppError)) throw thrown;
    return thrown.message;
  }
}

/** The releaser's entry for this content, once it has seen it. */
async function verdict(
  store: ReleaseStore,
  { version }: CheckedFolder,
  before: Pointer,
): Promise<HistoryEntry> {
  for (const end = Date.now() + WAIT_MS; Date.now() < end; await delay(LOOK_MS)) {
    const { built, refused, revision } = await store.pointer();
    const seen = built === version && (revision !== before.revision || !refused);
    const entry = seen ? await store.entry(version) : undefined;
    if (entry) return entry;
  }
  throw new AppError(
    "release-missing",
    `the files are uploaded, but the releaser has said nothing about release ${version} within ${WAIT_MS / 1000} s: ` +
      "see its log, and gatehook releases",
  );
}

async function untilWritten(store: ReleaseStore, folder: CheckedFolder): Promise<void> {
  for (const end = Date.now() + WAIT_MS; Date.now() < end; await delay(LOOK_MS))
    if (!(await whyMissing(store, folder))) return;
  throw new AppError("release-missing", `the releaser has not written the release again: see its log`);
}

function conclude(folder: CheckedFolder, before: Pointer, entry: HistoryEntry): void {
  const { version, release } = folder;
  if (entry.result === "refused") {
    const kept = before.version ? `release ${before.version} goes on` : "no release is live";
    refuse(`release ${version} was refused, ${kept}:`, entry.errors, folder);
    return;
  }
  const size = `${release.apis.length} API(s), ${release.scripts.length} script(s)`;
  if (before.built === version && before.version !== version)
    printText(
      `release ${version} is what was uploaded last, and ${before.version} was rolled back to: it goes on`,
    );
  else if (before.version === version) printText(`release ${version} is live already: ${size}`);
  else printText(`release ${version} is live: ${size}`);
}
