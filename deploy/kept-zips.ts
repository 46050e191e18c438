import { createHash } from "node:crypto";
import { cpSync, existsSync, readdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { basename, join, relative } from "node:path";
import { buildZips, endBuilder, ROOT } from "./build.ts";

const KEPT = `${ROOT}node_modules/.cache/gatehook-zips`;
/** What the zips are made of. */
const SOURCES = ["functions", "lib", "deploy", "package-lock.json"];

/** Puts the functions' zips into a folder: those of the last build, where their sources are the same since. */
export async function putBuiltZips(folder: string): Promise<void> {
  const kept = join(KEPT, sourcesDigest(ROOT));
  if (!existsSync(kept)) await build(kept);
  cpSync(kept, folder, { recursive: true });
}

/** In one step, so that another process finds all of them, or none. */
async function build(kept: string): Promise<void> {
  const building = `${kept}.${process.pid}`;
  await buildZips(building);
  await endBuilder();
  const older = readdirSync(KEPT).filter((name) => !name.startsWith(basename(kept)));
  for (const name of older) rmSync(join(KEPT, name), { recursive: true, force: true });
  try {
    renameSync(building, kept);
  } catch (thrown) {
    // Another process has built the same meanwhile.
    if (!existsSync(kept)) throw thrown;
    rmSync(building, { recursive: true });
  }
}

/** Of the paths and contents of all sources. Node's version is in it since the bundles name what its modules export. */
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
