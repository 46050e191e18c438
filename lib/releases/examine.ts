import type { Reading } from "../apis/definition.ts";
import { buildRelease } from "./build.ts";
import type { ApiFile } from "./read-apis.ts";
import { type Release, sealRelease } from "./release.ts";
import type { Problem, SourceFile } from "./sources.ts";
import { uploadWarnings } from "./warnings.ts";

/** The errors and warnings of a release. */
export interface Findings {
  errors: Problem[];
  warnings: Problem[];
}

/** Loads the scripts of a release and returns their problems. */
export type Check = (candidate: Candidate) => Promise<Findings>;

/** The release made from the files, and its problems before scripts are checked. */
export interface Candidate extends Findings {
  release: Release;
  /** The source of each API, in the release's order. */
  apis: ApiFile[];
  version: string;
  text: string;
}

/** Makes a release from uploaded files. Never throws because of their content: such problems are in `errors`. */
export function readCandidate(files: SourceFile[], how: Reading = {}): Candidate {
  const built = buildRelease(files, how);
  const { release, apis } = built;
  // If a bucket was emptied by mistake, every event would become a dead letter.
  const empty = { file: "apis/", message: "there is no API definition: upload at least one" };
  const errors = apis.length + built.problems.length === 0 ? [empty] : built.problems;
  return { release, apis, ...sealRelease(release, errors), errors, warnings: uploadWarnings(files, built) };
}

/** Reports all problems, so that they can be fixed together. */
export async function examine(candidate: Candidate, check: Check): Promise<Findings> {
  const { errors, warnings } = await check(candidate);
  return {
    errors: [...candidate.errors, ...errors],
    warnings: [...candidate.warnings, ...warnings],
  };
}
