import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { errorText } from "../lib/errors.ts";
import { UsageError } from "./terminal/usage.ts";

/** A file that a command makes, and what it may do there. */
export interface Wanted {
  file: string;
  text: string;
  /** Whether it replaces another that is there. */
  replace: boolean;
  /** Whether only its user may read it. */
  secret?: boolean;
}

/** What became of a file; `same`: it has this text already. */
export type Put = "written" | "replaced" | "kept" | "same";

/** What became of each, or would. `kept`: it differs, and may not be replaced. Throws a UsageError, naming the file. */
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

/** Undefined where there is no such file. */
export async function textOf(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, "utf8");
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw thrown;
  }
}

/** Into a new file that takes the place of the old one: a link must not lead what is written anywhere else. */
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
