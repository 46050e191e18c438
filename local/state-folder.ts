import { lstatSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join, sep } from "node:path";

/** The folder of all data that gatehook keeps in a user's folder. */
export const STATE_FOLDER = ".gatehook";

/**
 * Makes this folder, or one in it, and keeps what is in it out of repositories. Throws if a part of the path from
 * `.gatehook` on is a symbolic link: in a folder from somebody else it would lead what is written to any other place.
 */
export function makeStateFolder(folder: string): void {
  assertNoLink(folder);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  keepOutOfRepositories(folder);
}

/** The same check for a path that may be missing. */
export function assertNoLink(path: string): void {
  if (lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink())
    throw new Error(`${path} is a symbolic link: remove it`);
  const above = dirname(path);
  if (above.split(sep).includes(STATE_FOLDER)) assertNoLink(above);
}

/** An existing file is not changed: in a folder of another user it may be a link to another file. */
function keepOutOfRepositories(folder: string): void {
  try {
    writeFileSync(join(folder, ".gitignore"), "*\n", { flag: "wx" });
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code !== "EEXIST") throw thrown;
  }
}
