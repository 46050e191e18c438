import { errorText } from "../lib/errors.ts";
import { checkRelease } from "../lib/releases/check.ts";
import { type Candidate, examine, type Findings, readCandidate } from "../lib/releases/examine.ts";
import { examinePartly, type Live, type Partly } from "../lib/releases/partly.ts";
import { isMap, type Problem } from "../lib/releases/sources.ts";
import { loadAssets } from "../lib/runtime/assets.ts";
import { type Folders, localSettings } from "../lib/settings/project.ts";
import { isOfPackage } from "./bundle/paths.ts";
import { readSources, type Sources } from "./bundle/sources.ts";
import { readProject } from "./project.ts";
import { UsageError } from "./terminal/usage.ts";

/** A folder with definitions and scripts, checked as the releaser checks the bucket. */
export interface CheckedFolder extends Candidate {
  sources: Sources;
  /**
   * The part of it that would go live in addition to a live release; undefined if nothing would. Used if there are
   * errors.
   */
  partBeside(live: Live | undefined): Promise<Partly | undefined>;
}

/**
 * Reads and checks the folder; the problems are in `errors` and `warnings`. Throws a UsageError if it cannot be read.
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
      // A script that cannot be bundled cannot be uploaded either.
      if (sources.problems.length > 0) return undefined;
      const partly = await examinePartly(candidate, live, findings.errors, check);
      return partly && { ...partly, ...withSources(partly, sources) };
    },
  };
}

/** Adds the problems of bundling, and maps the place of each problem to the source files. */
export function withSources({ errors, warnings }: Findings, sources: Sources): Findings {
  const { problems, unmade, places } = sources;
  const mapped = (found: Problem[]) =>
    found.filter(({ file }) => !unmade.has(file.replace(/^handlers\//, ""))).map(places.problem);
  return {
    errors: [...problems, ...mapped(errors)],
    // The user of a package cannot fix its warnings.
    warnings: [...sources.warnings, ...mapped(warnings).filter(({ file }) => !isOfPackage(file))],
  };
}

/** Throws UsageError if the folder is not a gatehook project, or cannot be read. */
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
