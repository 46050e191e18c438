import { AppError } from "../lib/errors.ts";
import type { Target } from "../lib/history/rerun.ts";
import { readCandidate } from "../lib/releases/examine.ts";
import { isMap, scriptFile } from "../lib/releases/sources.ts";
import type { Sources } from "./bundle/sources.ts";
import { connectLocal } from "./dev/local-stack.ts";
import { readFolder } from "./folder.ts";
import { readProject } from "./project.ts";
import { namedRelease, openReleaseStore } from "./stage/release-store.ts";

/** The release for reruns, and its texts with places mapped to the author's files. */
export interface NamedTarget extends Target {
  atSources(text: string): string;
  /** Returns the text of a file of such a place. */
  textOf?: ((file: string) => string | undefined) | undefined;
}

/** The name for the files of the folder, instead of a release of the stack. */
export const WORKING = "working";

/** `name`: a version, `live`, or `working`. Throws `release-invalid` for files that are not a valid release. */
export async function targetOf(name: string, dir: string): Promise<NamedTarget> {
  if (name === WORKING) return targetOfSources(await readFolder(dir, (await readProject(dir)).folders));
  await connectLocal({ local: true, dir });
  const store = openReleaseStore();
  const { version, release } = await namedRelease(store, name);
  const texts = new Map(release.scripts.map(({ path, source }) => [scriptFile(path), source]));
  return { version, release, atSources: (text) => text, textOf: (file) => texts.get(file) };
}

/** The files as a release that is not stored. Throws `release-invalid` with the first problem and its place. */
export function targetOfSources(sources: Sources): NamedTarget {
  const candidate = readCandidate(sources.files.filter(({ path }) => !isMap(path)));
  const [problem] = [...sources.problems, ...candidate.errors];
  if (problem) {
    const place = [problem.file, problem.line].filter(Boolean).join(":");
    throw new AppError("release-invalid", `${place}: ${problem.message}`);
  }
  const { version, release } = candidate;
  return { version, release, atSources: sources.places.text, textOf: sources.textOf };
}
