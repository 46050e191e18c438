import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";

const CLI = fileURLToPath(new URL("../../cli/gatehook.ts", import.meta.url));

export interface CliResult {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
  /** True when the command left a process behind. */
  leftovers: boolean;
}

export interface CliOptions {
  cwd?: string;
  /** Over that of this process; undefined takes a variable away. */
  env?: Record<string, string | undefined>;
  /** Its standard input, which is empty otherwise. */
  input?: string;
  /** Instead of this checkout's cli/gatehook.ts, and what else stands before the arguments. */
  command?: string[];
  onStart?: (child: ChildProcess) => void;
}

/** For a test of what is embedded, wherever the others run. */
export const EMBEDDED = Object.fromEntries(
  ["", "_DYNAMODB", "_DYNAMODB_STREAMS", "_SQS", "_S3"].map((service) => [`AWS_ENDPOINT_URL${service}`, ""]),
);

/** Runs `gatehook` in a process group of its own, so that what it leaves running can be seen. */
export async function runCli(args: string[], options: CliOptions = {}): Promise<CliResult> {
  const child = spawn(process.execPath, [...(options.command ?? [CLI]), ...args], {
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
  const [code, signal] = await new Promise<[number | null, NodeJS.Signals | null]>((resolve) =>
    child.once("close", (...end) => resolve(end)),
  );
  return { code, signal, stdout, stderr, leftovers: !(await groupEnds(child.pid ?? 0)) };
}

const END_MS = 3_000;

/** Whether all of a process group have ended, or do so in a moment. */
export async function groupEnds(group: number): Promise<boolean> {
  for (const end = Date.now() + END_MS; Date.now() < end; await delay(20)) {
    if (!groupExists(group) || groupOf(group).size === 0) return true;
  }
  return false;
}

function groupExists(group: number): boolean {
  try {
    process.kill(-group, 0);
    return true;
  } catch {
    return false;
  }
}

/** The names of a group's processes, by their ids, without those that have ended and that nobody has asked how. */
export function groupOf(group: number): Map<number, string> {
  const columns = ["pid", "pgid", "stat", "comm"].flatMap((name) => ["-o", `${name}=`]);
  const lines = execFileSync("ps", ["-A", ...columns], { encoding: "utf8" });
  const rows = lines.split("\n").map((line) => line.trim().split(/\s+/));
  const ours = rows.filter(([, pgid, stat]) => Number(pgid) === group && !stat?.startsWith("Z"));
  return new Map(ours.map(([pid, , , ...name]) => [Number(pid), name.join(" ")]));
}

/** What a command prints that a terminal of that many columns has no room for. */
export const longerThan = (columns: number, { stdout, stderr }: CliResult): string[] =>
  [...stdout.split("\n"), ...stderr.split("\n")].filter((line) => line.length > columns);
