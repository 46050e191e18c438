import { errorText } from "../lib/errors.ts";
import { checkRelease } from "../lib/releases/check.ts";
import { type Candidate, examine, readCandidate } from "../lib/releases/examine.ts";
import { examinePartly, type Live, type Partly } from "../lib/releases/partly.ts";
import type { SourceFile } from "../lib/releases/sources.ts";
import { loadAssets } from "../lib/runtime/assets.ts";
import type { Folders } from "../lib/settings/project.ts";
import { readSourceFiles } from "../local/files.ts";
import { readProject } from "./project.ts";
import { UsageError } from "./usage.ts";

/** A folder with definitions and scripts, checked as the releaser checks the bucket. */
export interface CheckedFolder extends Candidate {
  files: SourceFile[];
  /** What of it would go live beside a live release; undefined when nothing would. Asked where there are errors. */
  partBeside(live: Live | undefined): Promise<Partly | undefined>;
}

export async function checkFolder(dir: string): Promise<CheckedFolder> {
  const files = await readFolder(dir, (await readProject(dir)).folders);
  const candidate = readCandidate(files);
  const assets = loadAssets();
  const check = (given: Candidate) => checkRelease(given, assets);
  const findings = await examine(candidate, check);
  return {
    ...candidate,
    ...findings,
    files,
    partBeside: (live) => examinePartly(candidate, live, findings.errors, check),
  };
}

/** Throws UsageError when the folder is not one of ours, or may not be read. */
export async function readFolder(dir: string, names: Folders): Promise<SourceFile[]> {
  try {
    return await readSourceFiles(dir, names);
  } catch (cause) {
    const { code = "", path } = cause as NodeJS.ErrnoException;
    if (code === "local-failed")
      throw new UsageError(`${errorText(cause)}, or name the folder with --dir`, { cause });
    if (code === "EACCES" || code === "EPERM") throw new UsageError(unreadable(path), { cause });
    throw cause;
  }
}

const unreadable = (path = "a file") =>
  `${path} cannot be read: the system refuses it to this user. A file needs the right to read it, a folder also the ` +
  "right to enter it: set them with chmod, or name another folder with --dir";
