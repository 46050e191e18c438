import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { errorText } from "../lib/errors.ts";
import { NO_PROJECT, PROJECT_FILE, type Project, parseProject } from "../lib/settings/project.ts";
import { UsageError } from "./terminal/usage.ts";

/** The content of a folder's gatehook.json; empty if it is missing. Throws a UsageError with every invalid line. */
export async function readProject(dir: string): Promise<Project> {
  const text = await projectText(join(dir, PROJECT_FILE));
  if (text === undefined) return NO_PROJECT;
  const read = parseProject(text);
  if ("project" in read) return read.project;
  throw new UsageError(
    read.problems.map(({ line, message }) => `${PROJECT_FILE}:${line}: ${message}`).join("\n"),
  );
}

async function projectText(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, "utf8");
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw new UsageError(`${file} cannot be read: ${errorText(cause)}`, { cause });
  }
}
