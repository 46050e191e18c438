// npm run soak:memory [events [mode]]: sends small events through a runtime with one worker, ten at a time, in both
// modes or in one; prints how resident memory grows after a warm-up. Each mode runs in its own process, so that memory
// of one is not counted for the other.
import { spawnSync } from "node:child_process";
import { loadAssets } from "../lib/runtime/assets.ts";
import type { Isolation } from "../lib/runtime/protocol.ts";
import { startRuntime } from "../lib/runtime/runtime.ts";
import { sampleRelease, sampleRun, silentHost } from "./sample.ts";

const WARM_UP = 100_000;
const STEPS = 10;
/** Events that are sent to the worker in one message. */
const BATCH = 10;
const MB = 1024 * 1024;
const events = Number(process.argv[2] ?? 1_000_000);

async function soak(isolation: Isolation): Promise<void> {
  const runtime = await startRuntime(await sampleRelease(), { assets: loadAssets(), isolation });
  const run = sampleRun(60_000);
  const work = async (count: number) => {
    for (let done = 0; done < count; done += BATCH) {
      const batch = Array.from({ length: BATCH }, () => runtime.run(run, silentHost));
      for (const outcome of await Promise.all(batch))
        if (!outcome.ok) throw new Error(JSON.stringify(outcome));
    }
  };
  await work(WARM_UP);
  const resident: number[] = [process.memoryUsage.rss() / MB];
  const started = performance.now();
  for (let step = 0; step < STEPS; step += 1) {
    await work(events / STEPS);
    resident.push(process.memoryUsage.rss() / MB);
  }
  const [first = 0] = resident;
  const growth = (resident.at(-1) ?? 0) - first;
  const perEvent = ((performance.now() - started) / events) * 1000;
  console.log(
    `${isolation}: ${events} events, ${perEvent.toFixed(0)} µs each; resident ${first.toFixed(1)} MB after ` +
      `${WARM_UP} events, ${growth.toFixed(1)} MB more at the end, most ${(Math.max(...resident) - first).toFixed(1)}`,
  );
  await runtime.close();
}

const mode = process.argv[3];
if (mode === "event" || mode === "global") await soak(mode);
else {
  for (const each of ["event", "global"]) {
    const args = [import.meta.filename, String(events), each];
    if (spawnSync(process.execPath, args, { stdio: "inherit" }).status !== 0) process.exitCode = 1;
  }
}
