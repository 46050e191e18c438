import { writeFileSync } from "node:fs";
import { join } from "node:path";

/**
 * Keeps a folder, and all that is in it, out of repositories. An existing file is not changed: in a folder of another
 * user it may be a link to another file.
 */
export function keepOutOfRepositories(folder: string): void {
  try {
    writeFileSync(join(folder, ".gitignore"), "*\n", { flag: "wx" });
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code !== "EEXIST") throw thrown;
  }
}
