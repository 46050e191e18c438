import { buildRelease } from "./build.ts";
import { type Release, sealRelease } from "./release.ts";
import type { Problem, SourceFile } from "./sources.ts";
import { warningsOf } from "./warnings.ts";

/** Loads a release and answers what is wrong with it. */
export type Check = (release: Release) => Promise<Problem[]>;

/** What the files make, before any script is loaded. */
export interface Candidate {
  release: Release;
  version: string;
  text: string;
  errors: Problem[];
  warnings: Problem[];
}

export function readCandidate(files: SourceFile[]): Candidate {
  const built = buildRelease(files);
  const { release } = built;
  // A bucket emptied by mistake would send every event to the dead letters.
  const empty = { file: "apis/", message: "there is no API definition: upload at least one" };
  const errors = release.apis.length + built.problems.length === 0 ? [empty] : built.problems;
  return { release, ...sealRelease(release, errors), errors, warnings: warningsOf(files, built) };
}

/** Everything that is wrong, so that one round of mending is enough. */
export async function errorsOf({ release, errors }: Candidate, check: Check): Promise<Problem[]> {
  return [...errors, ...(await check(release))];
}
