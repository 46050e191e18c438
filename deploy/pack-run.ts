// The programs of `npm run pack:check`, and its report.
import { spawn } from "node:child_process";
import { mkdirSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";

/** The environment of a program. */
export type Env = Record<string, string | undefined>;

interface Ran {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** On this Node, whichever is first on the PATH. */
export const PATH = `${dirname(process.execPath)}${delimiter}${process.env.PATH}`;

/** Resolves for any exit code. Rejects if it cannot be started. */
export async function run(command: string, args: string[], cwd: string, env: Env): Promise<Ran> {
  const child = spawn(command, args, { cwd, env, stdio: ["ignore", "pipe", "pipe"] });
  const read = async (stream: NodeJS.ReadableStream) => (await Array.fromAsync(stream)).join("");
  const [stdout, stderr, code] = await Promise.all([
    read(child.stdout.setEncoding("utf8")),
    read(child.stderr.setEncoding("utf8")),
    new Promise<number | null>((resolve, reject) => child.once("close", resolve).once("error", reject)),
  ]);
  return { code, stdout, stderr };
}

/** The output of a command that must succeed without a warning. */
export async function output(command: string, args: string[], cwd: string, env: Env): Promise<string> {
  const { code, stdout, stderr } = await run(command, args, cwd, env);
  if (code === 0 && stderr === "") return stdout;
  throw new Error(`${command} ${args.join(" ")} ended with ${code}:\n${stdout}${stderr}`);
}

/** One line of the report. */
export const say = (what: string, found: string) => console.log(`${what.padEnd(35)} ${found}`);

/** The folder with a name in another folder, created if missing. */
export function mkdir(folder: string, name: string): string {
  mkdirSync(join(folder, name), { recursive: true });
  return join(folder, name);
}
