import { existsSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { join, sep } from "node:path";
import { AppError } from "../lib/errors.ts";
import { CORE_SCRIPT, GATEWAY_FILE, type SourceFile } from "../lib/releases/sources.ts";

/** The uploadable files of a folder: apis/*.json, handlers/**\/*.js, gateway.json and tykjs.js. */
export async function readSourceFiles(folder: string): Promise<SourceFile[]> {
  const found = await Promise.all([
    filesBelow(folder, "apis", ".json"),
    filesBelow(folder, "handlers", ".js"),
  ]);
  const single = [CORE_SCRIPT, GATEWAY_FILE].filter((name) => existsSync(join(folder, name)));
  const paths = [...found.flat(), ...single];
  const files = await Promise.all(paths.map((path) => readSource(folder, path)));
  return files.flat();
}

async function readSource(folder: string, path: string): Promise<SourceFile[]> {
  try {
    return [{ path, text: await readFile(join(folder, path), "utf8") }];
  } catch (thrown) {
    const { code } = thrown as NodeJS.ErrnoException;
    // Removed since it was listed, as editors do when they save; or a folder that is named like a file.
    if (code === "ENOENT" || code === "EISDIR") return [];
    throw thrown;
  }
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
