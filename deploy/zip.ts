import { readdirSync, readFileSync } from "node:fs";
import { type Zippable, zipSync } from "fflate";

/**
 * A zip of `folder` with paths relative to `root`: the same bytes for the same files, at any time and on any machine.
 */
export function zip(root: string, folder: string): Uint8Array {
  const files = readdirSync(`${root}/${folder}`, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => `${parentPath.slice(root.length + 1)}/${name}`)
    .sort();
  const content: Zippable = Object.fromEntries(files.map((file) => [file, readFileSync(`${root}/${file}`)]));
  // Lambda's user must be able to read them: a file, rw-r--r--.
  return zipSync(content, { level: 9, mtime: new Date(1980, 0, 1), os: 3, attrs: 0o100644 << 16 });
}
