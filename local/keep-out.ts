import { writeFileSync } from "node:fs";
import { join } from "node:path";

/**
 * Keeps a folder, and all that is in it, out of repositories. What is there already stays: in a folder that somebody else
 * made it may be a link to another file.
 */
export function keepOutOfRepositories(folder: string): void {
  try {
    writeFileSync(join(folder, ".gitignore"), "*\n", { flag: "wx" });
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code !== "EEXIST") throw thrown;
  }
}
