import { createHash } from "node:crypto";
import { cpSync, existsSync, readdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { basename, join, relative } from "node:path";
import { buildZips, endBuilder, ROOT } from "./build.ts";

const KEPT = `${ROOT}node_modules/.cache/gatehook-zips`;
/** The sources of the zips. */
const SOURCES = ["functions", "lib", "deploy", "package-lock.json"];

/** Copies the functions' zips into a folder: those of the last build, if their sources have not changed. */
export async function putBuiltZips(folder: string): Promise<void> {
  const kept = join(KEPT, sourcesDigest(ROOT));
  if (!existsSync(kept)) await build(kept);
  cpSync(kept, folder, { recursive: true });
}

/** Atomically, so that another process finds all of them, or none. */
async function build(kept: string): Promise<void> {
  const building = `${kept}.${process.pid}`;
  await buildZips(building);
  await endBuilder();
  const older = readdirSync(KEPT).filter((name) => !name.startsWith(basename(kept)));
  for (const name of older) rmSync(join(KEPT, name), { recursive: true, force: true });
  try {
    renameSync(building, kept);
  } catch (thrown) {
    // Another process may have built the same meanwhile.
    if (!existsSync(kept)) throw thrown;
    rmSync(building, { recursive: true });
  }
}

/**
 * A digest of the paths and contents of all sources. It includes Node's version, since the bundles contain the export
 * names of its modules.
 */
export function sourcesDigest(root: string): string {
  const hash = createHash("sha256").update(process.version);
  for (const file of SOURCES.flatMap((source) => filesIn(join(root, source)))) {
    const bytes = readFileSync(file);
    hash.update(`\n${relative(root, file)} ${bytes.length}\n`).update(bytes);
  }
  return hash.digest("hex").slice(0, 16);
}

function filesIn(path: string): string[] {
  if (path.endsWith(".json")) return [path];
  return readdirSync(path, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name))
    .sort();
}
