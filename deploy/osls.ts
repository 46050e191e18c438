import { spawn } from "node:child_process";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import { stripVTControlCharacters } from "node:util";
import { AppError } from "../lib/errors.ts";

/** The options of a run of the framework. `stop` ends it. */
export interface Run {
  /** The folder of the service. */
  cwd: string;
  env: NodeJS.ProcessEnv;
  /** Called with each line of its output. */
  onLine?: (line: string) => void;
  stop?: AbortSignal;
}

/** The framework's program that is installed in a folder, or else in this package; undefined if in neither. */
export function findOsls(folder: string): string | undefined {
  for (const from of [`${folder}/package.json`, import.meta.url]) {
    try {
      return createRequire(from).resolve("osls/bin/serverless.js");
    } catch {
      // Not installed here: the next place is tried.
    }
  }
  return undefined;
}

/** Runs the framework. Throws `deploy-failed` with its own message if it fails. */
export async function runOsls(
  program: string,
  args: string[],
  { cwd, env, onLine, stop }: Run,
): Promise<void> {
  const child = spawn(process.execPath, [program, ...args], { cwd, env, stdio: ["ignore", "pipe", "pipe"] });
  const onStop = () => child.kill();
  stop?.addEventListener("abort", onStop);
  const lines: string[] = [];
  for (const input of [child.stdout, child.stderr])
    createInterface({ input }).on("line", (raw) => {
      const line = stripVTControlCharacters(raw);
      lines.push(line);
      onLine?.(line);
    });
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });
  stop?.removeEventListener("abort", onStop);
  if (stop?.aborted) throw new AppError("deploy-failed", `osls ${args[0]} was stopped`);
  if (code !== 0) throw new AppError("deploy-failed", `osls ${args[0]} failed: ${complaint(lines, code)}`);
}

/** Its text below `Error:`, without the environment and the support links. */
function complaint(lines: string[], code: number | null): string {
  const at = lines.findLastIndex((line) => /^(.*\s)?Error:?\s*$/.test(line));
  const said = lines.slice(at + 1);
  const end = said.findIndex((line) =>
    /^(Environment:|Docs:|Support:|Bugs:|Stack Trace|\s{4}at )/.test(line),
  );
  const text = said.slice(0, end < 0 ? undefined : end).filter((line) => line.trim());
  return text.join("\n") || `it ended with ${code}`;
}
