import { existsSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { join, sep } from "node:path";
import { AppError } from "../lib/errors.ts";
import { CORE_SCRIPT, type SourceFile } from "../lib/releases/build.ts";

/** The uploadable files of a folder: apis/*.json and handlers/**\/*.js. */
export async function readSourceFiles(folder: string): Promise<SourceFile[]> {
  const found = await Promise.all([
    filesBelow(folder, "apis", ".json"),
    filesBelow(folder, "handlers", ".js"),
  ]);
  const paths = [...found.flat(), ...(existsSync(join(folder, CORE_SCRIPT)) ? [CORE_SCRIPT] : [])];
  return Promise.all(paths.map(async (path) => ({ path, text: await readFile(join(folder, path), "utf8") })));
}

async function filesBelow(folder: string, name: "apis" | "handlers", ending: string): Promise<string[]> {
  try {
    const entries = await readdir(join(folder, name), { recursive: true });
    return entries
      .filter((entry) => entry.endsWith(ending))
      .map((entry) => [name, ...entry.split(sep)].join("/"));
  } catch (cause) {
    const message = `there is no folder ${join(folder, name)}: run this where your apis/ and handlers/ are`;
    throw new AppError("local-failed", message, { cause });
  }
}
