import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

/** A folder of somebody's own, gone with its test. */
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
