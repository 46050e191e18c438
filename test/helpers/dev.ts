import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { mkdir, mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const CLI = fileURLToPath(new URL("../../cli/gatehook.ts", import.meta.url));

/** A running `gatehook dev`. */
export interface Dev {
  process: ChildProcess;
  /** Waits for a match in the output since the last call. */
  says(words: RegExp): Promise<RegExpExecArray>;
  /** The whole output so far. */
  said(): string;
  /** Ends it as Ctrl+C does; returns its exit code. */
  end(signal?: NodeJS.Signals): Promise<number | null>;
}

/** Starts `gatehook dev` on a free port; its output can be waited for. */
export const startDev = (cwd: string, ...args: string[]) => startDevWith({}, cwd, ...args);

/** Added to the environment of the tests. */
export function startDevWith(env: Record<string, string>, cwd: string, ...args: string[]): Dev {
  const child = spawn(process.execPath, [CLI, "dev", "--port", "0", ...args], {
    cwd,
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let said = "";
  let read = 0;
  let heard = () => {};
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (chunk) => {
      said += chunk;
      heard();
    });
  const ended = new Promise<number | null>((resolve) => child.once("close", resolve));

  return {
    process: child,
    said: () => said,
    async says(words) {
      for (;;) {
        const found = words.exec(said.slice(read));
        if (found) {
          read += found.index + found[0].length;
          return found;
        }
        await Promise.race([
          new Promise<void>((resolve) => {
            heard = resolve;
          }),
          ended.then(() => assert.fail(`ended without saying ${words}:\n${said}`)),
        ]);
      }
    },
    async end(signal = "SIGTERM") {
      child.kill(signal);
      return ended;
    },
  };
}

export async function writeFiles(folder: string, files: Record<string, string>): Promise<void> {
  for (const [path, text] of Object.entries(files)) {
    const file = join(folder, path);
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, text);
  }
}

/** A new folder with these files; it always has apis/ and handlers/. */
export async function newFolder(files: Record<string, string>): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "gatehook-"));
  for (const name of ["apis", "handlers"]) await mkdir(join(folder, name));
  await writeFiles(folder, files);
  return folder;
}

/** A handler object whose function has this body. */
export const handler = (name: string, body: string) =>
  `var ${name} = new TykJS.TykEventHandlers.NewEventHandler({});\n${name}.NewHandler(function (event, context) {\n${body}\n});\n`;

/** A classic definition: for each event type the script `<path>.js`, whose handler has the name of its file. */
export const definition = (api_id: string, handlers: Record<string, string>) =>
  JSON.stringify({
    api_id,
    org_id: "shop",
    name: api_id,
    event_handlers: {
      events: Object.fromEntries(
        Object.entries(handlers).map(([type, path]) => [
          type,
          [
            {
              handler_name: "eh_dynamic_handler",
              handler_meta: { name: path.split("/").at(-1), path: `${path}.js` },
            },
          ],
        ]),
      ),
    },
  });
