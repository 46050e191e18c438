import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { errorText } from "../lib/errors.ts";
import { UsageError } from "./terminal/usage.ts";

/** A file that a command writes, and how. */
export interface Wanted {
  file: string;
  text: string;
  /** Whether it replaces an existing file. */
  replace: boolean;
  /** Whether only the user may read it. */
  secret?: boolean;
}

/** The result for a file; `same`: it already has this text. */
export type Put = "written" | "replaced" | "kept" | "same";

/**
 * Returns the result for each file, also in a dry run. `kept`: it differs, and must not be replaced. Throws a
 * UsageError that names the file.
 */
export async function putFiles(wanted: Wanted[], { dryRun }: { dryRun: boolean }): Promise<Map<string, Put>> {
  const done = new Map<string, Put>();
  for (const one of wanted) {
    try {
      done.set(one.file, await put(one, dryRun));
    } catch (cause) {
      throw new UsageError(`${one.file} cannot be written: ${errorText(cause)}`, { cause });
    }
  }
  return done;
}

async function put({ file, text, replace, secret }: Wanted, dryRun: boolean): Promise<Put> {
  const before = await textOf(file);
  if (before === text) return "same";
  if (before !== undefined && !replace) return "kept";
  if (!dryRun) await write(file, text, secret ? 0o600 : 0o666);
  return before === undefined ? "written" : "replaced";
}

/** Undefined if the file does not exist. */
export async function textOf(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, "utf8");
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw thrown;
  }
}

/** Writes a new file that replaces the old one, so that a link cannot redirect the write. */
async function write(file: string, text: string, mode: number): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  const fresh = `${file}.${process.pid}.new`;
  try {
    await writeFile(fresh, text, { flag: "wx", mode });
    await rename(fresh, file);
  } finally {
    await rm(fresh, { force: true });
  }
}
