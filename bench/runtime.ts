// npm run bench:runtime: the numbers of the runtime, each pair measured in turns within one run, so that what else
// the machine does falls on both. Ratios are what to compare; absolute times are this machine's.
import { loadAssets } from "../lib/runtime/assets.ts";
import type { HostCall } from "../lib/runtime/host-function.ts";
import { createInstance } from "../lib/runtime/instance.ts";
import { readPrelude } from "../lib/runtime/jsvm/source.ts";
import { createKeeper, type Keeper } from "../lib/runtime/keeper.ts";
import { DEFAULT_LIMITS, type Isolation, type Script } from "../lib/runtime/protocol.ts";
import { startRuntime } from "../lib/runtime/runtime.ts";
import { createSandbox } from "../lib/runtime/sandbox.ts";
import { fillerScripts, sampleRelease, sampleRun, silentHost } from "./sample.ts";

const assets = loadAssets();
const prelude = readPrelude();
const limits = { ...DEFAULT_LIMITS, graceMs: 250 };
const SESSION = JSON.stringify({ expires: 1, tags: [] });
const ROUNDS = 40;
const hostCall: HostCall = (name) => ({ text: name === "getKeyData" ? SESSION : undefined });

const newKeeper = (isolation: Isolation): Keeper =>
  createKeeper({
    engine: { wasm: assets.wasm },
    prelude,
    limits,
    isolation,
    host: { begin() {}, call: hostCall },
    onLoading() {},
  });

function median(values: number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

/** Milliseconds for one of each, in turns. */
async function inTurns(
  works: (() => Promise<void>)[],
  { rounds, times }: { rounds: number; times: number[] },
): Promise<number[]> {
  const taken = works.map((): number[] => []);
  for (let round = 0; round < rounds; round += 1) {
    for (const [index, work] of works.entries()) {
      const count = times[index] ?? 1;
      const started = performance.now();
      for (let done = 0; done < count; done += 1) await work();
      taken[index]?.push((performance.now() - started) / count);
    }
  }
  return taken.map(median);
}

async function oneRun(keeper: Keeper): Promise<void> {
  const { outcome } = keeper.run(sampleRun(5_000));
  if (!outcome.ok) throw new Error(JSON.stringify(outcome));
  await keeper.rest();
}

/** What isolation costs without a snapshot: a new context for each run, in an instance that lives. */
async function freshContexts(scripts: Script[]): Promise<() => Promise<void>> {
  const instance = await createInstance({ wasm: assets.wasm }, limits, () => {});
  // The runtime stays, whatever its sandboxes do at their end.
  const runtime = Object.create(instance.runtime, {
    dispose: { value: () => {} },
    setInterruptHandler: { value: instance.runtime.setInterruptHandler.bind(instance.runtime) },
  });
  return async () => {
    const sandbox = createSandbox(
      { ...instance, runtime, context: instance.runtime.newContext() },
      { prelude, limits, hostCall, stop: { code: undefined } },
    );
    const faults = sandbox.load(scripts, () => {});
    const end = sandbox.run(sampleRun(5_000));
    if (faults.length > 0 || !end.ok) throw new Error(JSON.stringify([faults, end]));
    sandbox.dispose();
  };
}

async function inTheSandbox(title: string, scripts: Script[], atLeast: number): Promise<void> {
  const global = newKeeper("global");
  const event = newKeeper("event");
  await global.load(scripts);
  await event.load(scripts);
  const fresh = await freshContexts(scripts);
  const works = [() => oneRun(global), () => oneRun(event), fresh];
  await inTurns(works, { rounds: 3, times: [2_000, 2_000, 20] });
  const [warm = 0, isolated = 0, made = 0] = await inTurns(works, { rounds: ROUNDS, times: [300, 300, 3] });
  console.log(`${title}: ${us(warm)} warm global, ${us(isolated)} isolated, ${us(made)} in a fresh context`);
  console.log(`  isolated / warm global   ${ratio(isolated, warm)}   (at most 1.2)`);
  console.log(`  fresh context / isolated ${ratio(made, isolated)}   (at least ${atLeast})`);
}

/** From the main thread, with the host's calls, as the consumer does it. */
async function throughTheThread(title: string, scripts: Script[]): Promise<void> {
  const runtimes = [
    await startRuntime(scripts, { assets, isolation: "global" }),
    await startRuntime(scripts, { assets, isolation: "event" }),
  ];
  const works = runtimes.map((runtime) => async () => {
    await runtime.run(sampleRun(5_000), silentHost);
  });
  await inTurns(works, { rounds: 2, times: [1_000, 1_000] });
  const [warm = 0, isolated = 0] = await inTurns(works, { rounds: ROUNDS, times: [100, 100] });
  console.log(`${title}, from the main thread: ${us(warm)} warm global, ${us(isolated)} isolated`);
  console.log(`  isolated / warm global   ${ratio(isolated, warm)}   (at most 1.2)`);
  await Promise.all(runtimes.map((runtime) => runtime.close()));
}

async function killAndRebuild(scripts: Script[]): Promise<void> {
  const native = `var native = new TykJS.TykEventHandlers.NewEventHandler({});
native.NewHandler(function () { [].indexOf.call({ length: 9007199254740991 }, 1); });`;
  const timeoutMs = 20;
  const options = { assets, limits: { graceMs: 250 }, isolation: "event" } as const;
  const runtime = await startRuntime([...scripts, { path: "native.js", source: native }], options);
  const taken: number[] = [];
  for (let round = 0; round < 15; round += 1) {
    const started = performance.now();
    const killed = await runtime.run({ ...sampleRun(timeoutMs), handler: "native" }, silentHost);
    // Over when the next event is done too: by then there is a sandbox again.
    const next = await runtime.run(sampleRun(60_000), silentHost);
    taken.push(performance.now() - started - timeoutMs - options.limits.graceMs);
    if (killed.ok || killed.code !== "killed" || !next.ok) throw new Error(JSON.stringify({ killed, next }));
  }
  console.log(
    `kill and rebuild: median ${Math.round(median(taken))} ms, most ${Math.round(Math.max(...taken))} ms   (under 200)`,
  );
  await runtime.close();
}

const us = (ms: number) => (ms < 2 ? `${(ms * 1000).toFixed(0)} µs` : `${ms.toFixed(1)} ms`);
const ratio = (a: number, b: number) => (a / b).toFixed(2).padStart(6);

const sample = await sampleRelease();
await inTheSandbox("the sample release, in the sandbox's thread", sample, 7);
const large = [...sample, ...fillerScripts(100)];
await inTheSandbox("with 100 scripts more", large, 30);
await throughTheThread("the sample release", sample);
await throughTheThread("with 100 scripts more", large);
await killAndRebuild(sample);
