import { setTimeout as delay } from "node:timers/promises";
import { flag } from "../../functions/settings.ts";
import { AppError } from "../../lib/errors.ts";
import type { Partly } from "../../lib/releases/partly.ts";
import type { HistoryEntry } from "../../lib/releases/report.ts";
import type { Problem } from "../../lib/releases/sources.ts";
import type { Pointer, ReleaseStore } from "../../lib/releases/store.ts";
import { type CheckedFolder, checkFolder, withSources } from "../folder.ts";
import { heldLines } from "../held-back.ts";
import { openReleaseStore } from "../stage/release-store.ts";
import { carryOut, planUpload, wakesNobody } from "../stage/upload.ts";
import { sizeText } from "../terminal/count.ts";
import { print, printError, printErrorText, printText } from "../terminal/print.ts";
import { problemLines } from "../terminal/problem-lines.ts";

/** `dryRun` shows what would be uploaded and removed, and what would go live. */
export interface PushOptions {
  dir: string;
  dryRun?: boolean;
}

const WAIT_MS = 60_000;
const LOOK_MS = 200;

/** `gatehook push`: makes the bucket the same as the folder, and waits for the releaser's result. */
export async function push({ dir, dryRun }: PushOptions): Promise<void> {
  const store = openReleaseStore();
  const folder = await checkFolder(dir);
  const { files, textOf } = folder.sources;
  for (const problem of folder.warnings) print(...problemLines("warning", problem, textOf));
  const partly = folder.errors.length > 0 ? await rightPart(store, folder) : undefined;
  if (folder.errors.length > 0 && !partly) {
    refuse("nothing was uploaded; fix this first:", folder.errors, folder);
    return;
  }
  const plan = planUpload(files, await store.listSources());
  // Nothing to upload, but the release does not exist: the releaser has missed the upload, or somebody deleted the
  // object.
  const missing = wakesNobody(plan) && (await whyMissing(store, folder));
  if (missing) {
    printText(`${missing}: to wake the releaser, one file is uploaded again`);
    plan.upload.unshift(...files.slice(0, 1));
  }
  const verb = dryRun ? "would " : "";
  for (const { path } of plan.upload) print(`${verb}upload ${path}`);
  for (const path of plan.remove) print(`${verb}remove ${path}`);
  if (dryRun) {
    foretell(folder, partly);
    return;
  }
  const before = await store.pointer();
  await carryOut(plan, store);
  const entry = await verdict(store, folder, before);
  if (missing && entry.result === "live") await untilWritten(store, folder);
  conclude(folder, before, entry);
}

/** The part of a folder with errors that would go live; undefined if nothing new would. */
async function rightPart(store: ReleaseStore, folder: CheckedFolder): Promise<Partly | undefined> {
  if (flag(process.env, "RELEASE_STRICT")) return undefined;
  const version = await store.liveVersion();
  // APIs with errors would keep their live version, so the live release is needed.
  if (version && (await whyUnreadable(store, version))) return undefined;
  const partly = await folder.partBeside(
    version ? { version, release: await store.read(version) } : undefined,
  );
  return partly?.candidate.version === version ? undefined : partly;
}

function foretell(folder: CheckedFolder, partly: Partly | undefined): void {
  if (!partly) {
    printText(`release ${folder.version} would go live; nothing was uploaded`);
    return;
  }
  const { candidate, kept, leftOut } = partly;
  refuse(`only a part would go live, as release ${candidate.version}:`, partly.errors, folder);
  printError(...heldLines({ kept, left_out: leftOut }));
  printErrorText("nothing was uploaded");
}

/** The releaser's problems of scripts, with places in their source files. */
const told = ({ errors }: HistoryEntry, { sources }: CheckedFolder) =>
  withSources({ errors, warnings: [] }, sources).errors;

/** Prints the problems, and ends with exit code 1. */
function refuse(what: string, errors: Problem[], { sources }: CheckedFolder): void {
  printErrorText(`gatehook: ${what}`);
  printError(...errors.flatMap((error) => problemLines("error", error, sources.textOf)));
  process.exitCode = 1;
}

/** The reason why the release of this folder, or of its correct part, cannot be read; undefined if it can be read. */
async function whyMissing(store: ReleaseStore, { version }: CheckedFolder): Promise<string | undefined> {
  const { built, refused, settled } = await store.pointer();
  return whyUnreadable(store, built === version && !refused ? (settled ?? version) : version);
}

async function whyUnreadable(store: ReleaseStore, version: string): Promise<string | undefined> {
  try {
    await store.read(version);
    return undefined;
  } catch (thrown) {
    if (!(thrown instanceof AppError)) throw thrown;
    return thrown.message;
  }
}

/** Waits for the releaser's entry for this content. */
async function verdict(
  store: ReleaseStore,
  { version }: CheckedFolder,
  before: Pointer,
): Promise<HistoryEntry> {
  for (const end = Date.now() + WAIT_MS; Date.now() < end; await delay(LOOK_MS)) {
    const { built, refused, settled, revision } = await store.pointer();
    const seen = built === version && (revision !== before.revision || !refused);
    const entry = seen ? await store.entry(refused ? version : (settled ?? version)) : undefined;
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
  const { version } = entry;
  if (entry.result === "refused") {
    const kept = before.version ? `release ${before.version} stays live` : "no release is live";
    refuse(`release ${version} was refused, ${kept}:`, told(entry, folder), folder);
    return;
  }
  const size = sizeText(entry);
  const isBuiltBefore = before.built === folder.version && !before.refused;
  if (isBuiltBefore && before.version !== version)
    printText(
      `release ${version} is what was uploaded last, but it was rolled back to ${before.version}, which stays live`,
    );
  else if (entry.result === "partly") {
    refuse(`only a part is live, as release ${version}: ${size}`, told(entry, folder), folder);
    printError(...heldLines(entry.held ?? { kept: [], left_out: [] }));
  } else if (before.version === version) printText(`release ${version} is live already: ${size}`);
  else printText(`release ${version} is live: ${size}`);
}
