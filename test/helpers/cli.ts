import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

const CLI = fileURLToPath(new URL("../../cli/gatehook.ts", import.meta.url));

export interface CliResult {
  code: number | null;
  stdout: string;
  stderr: string;
  /** True when the command left a process behind. */
  leftovers: boolean;
}

/** Runs `gatehook` in a process group of its own, so that what it leaves running can be seen. */
export async function runCli(
  args: string[],
  options: {
    cwd?: string;
    /** Over that of this process; undefined takes a variable away. */
    env?: Record<string, string | undefined>;
    /** Its standard input, which is empty otherwise. */
    input?: string;
    onStart?: (child: ChildProcess) => void;
  } = {},
): Promise<CliResult> {
  const child = spawn(process.execPath, [CLI, ...args], {
    cwd: options.cwd,
    env: { ...process.env, ...options.env },
    detached: true,
    stdio: [options.input === undefined ? "ignore" : "pipe", "pipe", "pipe"],
  });
  child.stdin?.end(options.input);
  options.onStart?.(child);
  let stdout = "";
  let stderr = "";
  child.stdout?.on("data", (chunk) => {
    stdout += chunk;
  });
  child.stderr?.on("data", (chunk) => {
    stderr += chunk;
  });
  const code = await new Promise<number | null>((resolve) => child.once("close", resolve));
  return { code, stdout, stderr, leftovers: groupLives(child.pid ?? 0) };
}

function groupLives(group: number): boolean {
  try {
    process.kill(-group, 0);
    return true;
  } catch {
    return false;
  }
}

/** What a command prints that a terminal of that many columns has no room for. */
export const longerThan = (columns: number, { stdout, stderr }: CliResult): string[] =>
  [...stdout.split("\n"), ...stderr.split("\n")].filter((line) => line.length > columns);
