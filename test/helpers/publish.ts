import { type ChildProcess, type StdioOptions, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { fileURLToPath } from "node:url";

const CLI = fileURLToPath(new URL("../../cli/gatehook.ts", import.meta.url));

export type Line = { level: string; message: string; [field: string]: unknown };

/** `gatehook publish` in its own process, on a free port. */
export interface PublishProcess {
  url: string;
  /** Its log so far. */
  lines: Line[];
  /** The first line that matches, in the log so far or later; rejects when the process has ended. */
  line(fits: (line: Line) => boolean): Promise<Line>;
  post(path: string, body: string, headers?: Record<string, string>): Promise<Response>;
  /** Resolves when the process ends, for whatever reason. */
  ended: Promise<{ code: number | null; stdout: string }>;
  /** Sends the signal, and waits until the process has ended. */
  end(signal: NodeJS.Signals): Promise<{ code: number | null; stdout: string }>;
}

export interface PublishOptions {
  /** By default, the one in the environment. */
  queueUrl?: string;
  spool: string;
  env: Record<string, string>;
  args?: string[];
  /** The command that starts the program, such as a shell with limits. */
  through?: (command: string[]) => string[];
  /** Passed to the process as file descriptor 3. */
  fd?: number;
}

export async function startPublish(options: PublishOptions): Promise<PublishProcess> {
  const { queueUrl, spool, env, args = [], through = (command) => command, fd } = options;
  const own = ["publish", "--listen", "127.0.0.1:0", "--spool", spool, ...args];
  if (queueUrl !== undefined) own.push("--queue", queueUrl);
  const [program = "", ...rest] = through([process.execPath, CLI, ...own]);
  const stdio: StdioOptions = ["ignore", "pipe", "pipe", fd ?? "ignore"];
  const child = spawn(program, rest, { env: { ...process.env, ...env }, stdio });
  const ended = endOf(child);
  const lines: Line[] = [];
  const listeners = new Set<(line: Line) => void>();
  createInterface({ input: child.stderr as Readable }).on("line", (text) => {
    const line = text.startsWith("{") ? (JSON.parse(text) as Line) : { level: "text", message: text };
    lines.push(line);
    for (const listener of listeners) listener(line);
  });
  const line = (fits: (line: Line) => boolean) => {
    const known = lines.find(fits);
    if (known) return Promise.resolve(known);
    const { promise, resolve, reject } = Promise.withResolvers<Line>();
    listeners.add((each) => fits(each) && resolve(each));
    void ended.then(() => reject(new Error(`it ended: ${JSON.stringify(lines)}`)));
    return promise;
  };
  const url = String((await line(({ message }) => message === "listening")).url);
  return {
    url,
    lines,
    line,
    post: (path, body, headers = {}) => fetch(url + path, { method: "POST", body, headers }),
    ended,
    end(signal) {
      child.kill(signal);
      return ended;
    },
  };
}

async function endOf(child: ChildProcess): Promise<{ code: number | null; stdout: string }> {
  let stdout = "";
  child.stdout?.on("data", (chunk) => {
    stdout += chunk;
  });
  const code = await new Promise<number | null>((resolve) => child.once("close", resolve));
  return { code, stdout };
}
