import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";

const CLI = fileURLToPath(new URL("../../cli/gatehook.ts", import.meta.url));

export interface CliResult {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
  /** Whether the command left a process running. */
  leftovers: boolean;
}

export interface CliOptions {
  cwd?: string;
  /** Added to the environment of this process; undefined removes a variable. */
  env?: Record<string, string | undefined>;
  /** The standard input; empty by default. */
  input?: string;
  /** The command and its first arguments, instead of this checkout's cli/gatehook.ts. */
  command?: string[];
  onStart?: (child: ChildProcess) => void;
}

/** The environment of a test of the embedded services, even if other tests use external ones. */
export const EMBEDDED = Object.fromEntries(
  ["", "_DYNAMODB", "_DYNAMODB_STREAMS", "_SQS", "_S3"].map((service) => [`AWS_ENDPOINT_URL${service}`, ""]),
);

/** Runs `gatehook` in its own process group, so that processes which it leaves running are found. */
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

/** Whether all processes of a group have ended, or end in a moment. */
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

/** The names of a group's processes by their ids, without zombies. */
export function groupOf(group: number): Map<number, string> {
  const columns = ["pid", "pgid", "stat", "comm"].flatMap((name) => ["-o", `${name}=`]);
  const lines = execFileSync("ps", ["-A", ...columns], { encoding: "utf8" });
  const rows = lines.split("\n").map((line) => line.trim().split(/\s+/));
  const ours = rows.filter(([, pgid, stat]) => Number(pgid) === group && !stat?.startsWith("Z"));
  return new Map(ours.map(([pid, , , ...name]) => [Number(pid), name.join(" ")]));
}

/** The printed lines that are longer than this number of columns. */
export const longerThan = (columns: number, { stdout, stderr }: CliResult): string[] =>
  [...stdout.split("\n"), ...stderr.split("\n")].filter((line) => line.length > columns);
