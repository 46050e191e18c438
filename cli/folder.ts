import { errorText } from "../lib/errors.ts";
import { checkRelease } from "../lib/releases/check.ts";
import { type Candidate, examine, type Findings, readCandidate } from "../lib/releases/examine.ts";
import { examinePartly, type Live, type Partly } from "../lib/releases/partly.ts";
import { isMap, type Problem } from "../lib/releases/sources.ts";
import { loadAssets } from "../lib/runtime/assets.ts";
import { type Folders, localSettings } from "../lib/settings/project.ts";
import { isOfPackage } from "./bundle/bundle.ts";
import { readSources, type Sources } from "./bundle/sources.ts";
import { readProject } from "./project.ts";
import { UsageError } from "./terminal/usage.ts";

/** A folder with definitions and scripts, checked as the releaser checks the bucket. */
export interface CheckedFolder extends Candidate {
  sources: Sources;
  /** What of it would go live beside a live release; undefined when nothing would. Asked where there are errors. */
  partBeside(live: Live | undefined): Promise<Partly | undefined>;
}

/**
 * Reads and checks the folder; what is wrong is in `errors` and `warnings`. Throws a UsageError where it cannot be
 * read.
 */
export async function checkFolder(dir: string): Promise<CheckedFolder> {
  const project = await readProject(dir);
  const sources = await readFolder(dir, project.folders);
  const runsAll = localSettings(project).GATEWAY_HANDLERS === "all";
  const candidate = readCandidate(
    sources.files.filter(({ path }) => !isMap(path)),
    { runsAll },
  );
  const assets = loadAssets();
  const check = (given: Candidate) => checkRelease(given, assets);
  const findings = await examine(candidate, check);
  const all = withSources(findings, sources);
  return {
    ...candidate,
    ...all,
    sources,
    async partBeside(live) {
      // What cannot be made a script cannot be uploaded either.
      if (sources.problems.length > 0) return undefined;
      const partly = await examinePartly(candidate, live, findings.errors, check);
      return partly && { ...partly, ...withSources(partly, sources) };
    },
  };
}

/** With what is wrong about making the scripts, and each problem at its place in the files that they were made of. */
export function withSources({ errors, warnings }: Findings, sources: Sources): Findings {
  const { problems, unmade, places } = sources;
  const mapped = (found: Problem[]) =>
    found.filter(({ file }) => !unmade.has(file.replace(/^handlers\//, ""))).map(places.problem);
  return {
    errors: [...problems, ...mapped(errors)],
    // What is odd about a package is not for its user to fix.
    warnings: [...sources.warnings, ...mapped(warnings).filter(({ file }) => !isOfPackage(file))],
  };
}

/** Throws UsageError when the folder is not one of ours, or may not be read. */
export async function readFolder(dir: string, names: Folders): Promise<Sources> {
  try {
    return await readSources(dir, names);
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
