import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** A temporary folder, as a user's own; it is removed after its test. */
export interface Folder {
  dir: string;
  path(name: string): string;
  write(name: string, content: string | object): Promise<void>;
  remove(): Promise<void>;
}

export async function ownFolder(project: object = {}): Promise<Folder> {
  const dir = await mkdtemp(join(tmpdir(), "gatehook-own-"));
  const folder: Folder = {
    dir,
    path: (name) => join(dir, name),
    async write(name, content) {
      await mkdir(dirname(join(dir, name)), { recursive: true });
      await writeFile(join(dir, name), typeof content === "string" ? content : JSON.stringify(content));
    },
    remove: () => rm(dir, { recursive: true }),
  };
  await folder.write("gatehook.json", project);
  return folder;
}

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/**
 * Makes this clone the installed package of a folder. The public module is its source, since only a package has the
 * built one.
 */
export async function asInstalled(dir: string): Promise<void> {
  const { exports, ...rest } = JSON.parse(await readFile(`${ROOT}package.json`, "utf8"));
  const own = join(dir, "node_modules/gatehook");
  await mkdir(own, { recursive: true });
  const installed = { ...rest, exports: { ...exports, "./test": "./public/test.ts" } };
  await writeFile(join(own, "package.json"), JSON.stringify(installed));
  for (const name of ["handlers", "public", "cli", "lib", "local", "functions", "node_modules"])
    await symlink(join(ROOT, name), join(own, name));
}
