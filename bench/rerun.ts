// npm run bench:rerun: the time from saving a handler to the new result of a pinned event, as gatehook dev prints it.
import { type ChildProcess, spawn } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { median, rounded } from "./shared/figures.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const CLI = `${ROOT}cli/gatehook.ts`;
const WANTED_MS = 500;
const SAVES = 20;

/** The output of a process. */
function listener({ stdout, stderr }: ChildProcess) {
  let said = "";
  let heard = () => {};
  for (const stream of [stdout, stderr])
    stream?.on("data", (chunk) => {
      said += chunk;
      heard();
    });
  return {
    /** Ignores the output so far. */
    forget() {
      said = "";
    },
    /** Waits for a matching line; returns when it was printed. */
    async says(words: RegExp): Promise<number> {
      while (!words.test(said))
        await new Promise<void>((resolve) => {
          heard = resolve;
        });
      return performance.now();
    },
  };
}

async function command(folder: string, ...args: string[]): Promise<void> {
  const child = spawn(process.execPath, [CLI, ...args], {
    cwd: folder,
    stdio: ["ignore", "ignore", "inherit"],
  });
  const code = await new Promise((resolve) => child.once("close", resolve));
  if (code !== 0) throw new Error(`gatehook ${args.join(" ")} ended with ${code}`);
}

const folder = mkdtempSync(join(tmpdir(), "gatehook-bench-"));
for (const name of ["apis", "handlers"]) cpSync(`${ROOT}${name}`, join(folder, name), { recursive: true });
const dev = spawn(process.execPath, [CLI, "dev", "--port", "0"], { cwd: folder });
try {
  const { forget, says } = listener(dev);
  await says(/Ctrl\+C/);
  await command(folder, "send", "KeyExpired", "--key", "demo-key", "--wait");
  await command(folder, "events", "pin", "last");
  const file = join(folder, "handlers/session-editor.js");
  const source = readFileSync(file, "utf8");
  const times: number[] = [];
  for (let save = 1; save <= SAVES; save += 1) {
    forget();
    const saved = performance.now();
    writeFileSync(file, source.replace("expires + 1000", `expires + ${1000 + save}`));
    times.push((await says(/pinned +≠ .* differs/)) - saved);
    await says(/is live/);
  }
  const figures = { median: median(times), slowest: Math.max(...times) };
  for (const [name, ms] of Object.entries(figures)) console.log(`${name.padEnd(8)} ${rounded(ms)} ms`);
  console.log(`of ${SAVES} saves; wanted: less than ${WANTED_MS} ms`);
  if (figures.median >= WANTED_MS) process.exitCode = 1;
} finally {
  dev.kill("SIGTERM");
  await new Promise((resolve) => dev.once("close", resolve));
  rmSync(folder, { recursive: true });
}
