import type { Reading } from "../apis/definition.ts";
import { buildRelease } from "./build.ts";
import type { ApiFile } from "./read-apis.ts";
import { type Release, sealRelease } from "./release.ts";
import type { Problem, SourceFile } from "./sources.ts";
import { uploadWarnings } from "./warnings.ts";

/** What keeps a release from going live, and what is only worth knowing. */
export interface Findings {
  errors: Problem[];
  warnings: Problem[];
}

/** Loads the scripts of a release and answers what is wrong with them. */
export type Check = (candidate: Candidate) => Promise<Findings>;

/** What the files make, and what is wrong with them before any script is looked at. */
export interface Candidate extends Findings {
  release: Release;
  /** Where each API was read from, in the release's order. */
  apis: ApiFile[];
  version: string;
  text: string;
}

/** Makes a release of uploaded files. Never throws for what is in them: that is in `errors`. */
export function readCandidate(files: SourceFile[], how: Reading = {}): Candidate {
  const built = buildRelease(files, how);
  const { release, apis } = built;
  // A bucket emptied by mistake would send every event to the dead letters.
  const empty = { file: "apis/", message: "there is no API definition: upload at least one" };
  const errors = apis.length + built.problems.length === 0 ? [empty] : built.problems;
  return { release, apis, ...sealRelease(release, errors), errors, warnings: uploadWarnings(files, built) };
}

/** Everything that is wrong, so that one round of fixing is enough. */
export async function examine(candidate: Candidate, check: Check): Promise<Findings> {
  const { errors, warnings } = await check(candidate);
  return {
    errors: [...candidate.errors, ...errors],
    warnings: [...candidate.warnings, ...warnings],
  };
}
