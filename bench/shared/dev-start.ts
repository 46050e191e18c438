import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { EMBEDDED } from "../../test/helpers/cli.ts";
import { startDevWith } from "../../test/helpers/dev.ts";

const run = promisify(execFile);

/** The start of `gatehook dev`: when it is ready, when its console has read the history, and its memory. */
export interface DevStart {
  readyMs: number;
  mb: number;
  consoleMb: number;
}

export async function devStart(folder: string, ...args: string[]): Promise<DevStart> {
  const began = performance.now();
  const dev = startDevWith(EMBEDDED, folder, "--no-demo", ...args);
  try {
    const [, url = ""] = await dev.says(/ready at (http:\S+)/);
    const readyMs = performance.now() - began;
    const [, token = ""] = await dev.says(/in a browser: \S+#token=(\S+)/);
    const mb = await residentMb(dev.process.pid);
    const state = await fetch(`${url}/console/api/v1/state`, {
      headers: { authorization: `Bearer ${token}` },
    });
    if (!state.ok) throw new Error(`the console answered ${state.status}`);
    await state.json();
    return { readyMs, mb, consoleMb: await residentMb(dev.process.pid) };
  } finally {
    await dev.end();
  }
}

async function residentMb(pid: number | undefined): Promise<number> {
  const { stdout } = await run("ps", ["-o", "rss=", "-p", String(pid)]);
  return Number(stdout) / 1024;
}

/** The medians of several starts of each, taken in turns, since the speed of a machine varies. */
export async function compareStarts(
  ways: Record<string, () => Promise<DevStart>>,
  times: number,
): Promise<Record<string, DevStart>> {
  const all = Object.entries(ways).map(([name, start]) => ({ name, start, starts: [] as DevStart[] }));
  for (let time = 0; time < times; time += 1) for (const { start, starts } of all) starts.push(await start());
  return Object.fromEntries(
    all.map(({ name, starts }) => {
      const median = (member: keyof DevStart) =>
        Math.round(starts.map((one) => one[member]).sort((a, b) => a - b)[Math.floor(times / 2)] ?? 0);
      return [name, { readyMs: median("readyMs"), mb: median("mb"), consoleMb: median("consoleMb") }];
    }),
  );
}
