import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { AppError } from "../../lib/errors.ts";

/** The editor that git and crontab would use. */
const editorOf = (env: Record<string, string | undefined>, platform = process.platform) =>
  env.VISUAL?.trim() || env.EDITOR?.trim() || (platform === "win32" ? "notepad" : "vi");

/** Returns a text as edited by the user, in a file that only this user can read and that is deleted afterwards. */
export async function edit(text: string, fileName: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "gatehook-edit-"));
  const file = join(folder, fileName);
  try {
    await writeFile(file, text, { mode: 0o600 });
    await run(editorOf(process.env), file);
    return await readFile(file, "utf8");
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Through a shell, as in git, since the variable may contain arguments. */
async function run(editor: string, file: string): Promise<void> {
  const child = spawn(`${editor} "${file}"`, { shell: true, stdio: "inherit" });
  const code = await new Promise<number | string | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (status, signal) => resolve(status ?? signal));
  });
  if (code === 0) return;
  throw new AppError(
    "local-failed",
    `the editor ${editor} ended with ${code}: nothing was changed; EDITOR names another`,
  );
}
