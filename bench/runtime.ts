// npm run bench:runtime: the time of one run of a handler: in the warm sandbox, isolated by event, and in a new
// context; compared with node:vm, and with isolated-vm if it is installed (npm install --no-save isolated-vm@7). The
// same from the main thread, as in the consumer; and the time of a kill. All are measured in turns in one run. Compare
// the ratios: absolute times depend on the machine.
import type { Script } from "../lib/runtime/protocol.ts";
import { startRuntime } from "../lib/runtime/runtime.ts";
import { isolatedVm, loadIsolatedVm, nodeVm } from "./runtime/others.ts";
import { assets, freshContexts, kept, type OneRun } from "./runtime/sandboxes.ts";
import { fillerScripts, sampleRelease, sampleRun, silentHost } from "./sample.ts";
import { inTurns, median, ratioOf, rounded } from "./shared/figures.ts";
import { type Part, runPart } from "./shared/part.ts";

const ROUNDS = 20;
const KILLS = 9;
/** Runs of one turn, which take a few milliseconds. */
const FAST = 300;
const SLOW = 3;

interface Row {
  release: string;
  where: string;
  how: string;
  us: number;
  /** Divided by the time of a run in the warm sandbox in the same place. */
  ratio: number;
}

export interface RuntimeResult {
  rows: Row[];
  /** From the end of the time limit and its grace period to the end of the next run. */
  kill_ms: number;
}

interface Work {
  how: string;
  run: OneRun;
  count: number;
}

/** All are compared with the first one. */
async function compare(release: string, where: string, works: Work[], quick: boolean): Promise<Row[]> {
  const turn =
    ({ run, count }: Work) =>
    async () => {
      const started = performance.now();
      for (let done = 0; done < count; done += 1) await run();
      return ((performance.now() - started) / count) * 1_000;
    };
  const warmUp = quick ? 1 : 6;
  for (const { run, count } of works) for (let done = 0; done < count * warmUp; done += 1) await run();
  const taken = await inTurns(
    Object.fromEntries(works.map((work) => [work.how, turn(work)])),
    quick ? 1 : ROUNDS,
  );
  const first = taken[works[0]?.how ?? ""] ?? [];
  return works.map(({ how }) => ({
    release,
    where,
    how,
    us: rounded(median(taken[how] ?? [])),
    ratio: ratioOf(taken[how] ?? [], first),
  }));
}

async function inThisThread(release: string, scripts: Script[], quick: boolean): Promise<Row[]> {
  const ivm = await loadIsolatedVm();
  const works: Work[] = [
    { how: "warm", run: await kept("global", scripts), count: FAST },
    { how: "isolated by event", run: await kept("event", scripts), count: FAST },
    { how: "fresh context", run: await freshContexts(scripts), count: SLOW },
    { how: "node:vm, warm", run: nodeVm(scripts, { fresh: false }), count: FAST },
    { how: "node:vm, fresh context", run: nodeVm(scripts, { fresh: true }), count: SLOW },
  ];
  if (ivm)
    works.push(
      { how: "isolated-vm, warm", run: isolatedVm(ivm, scripts, { fresh: false }), count: FAST },
      { how: "isolated-vm, fresh context", run: isolatedVm(ivm, scripts, { fresh: true }), count: SLOW },
    );
  return compare(release, "its own thread", works, quick);
}

/** From the main thread, with the host's calls, as the consumer does it. */
async function throughTheThread(release: string, scripts: Script[], quick: boolean): Promise<Row[]> {
  const runtimes = {
    warm: await startRuntime(scripts, { assets, isolation: "global" }),
    "isolated by event": await startRuntime(scripts, { assets, isolation: "event" }),
  };
  const works = Object.entries(runtimes).map(([how, runtime]) => ({
    how,
    count: FAST / 3,
    run: async () => void (await runtime.run(sampleRun(5_000), silentHost)),
  }));
  const rows = await compare(release, "from the main thread", works, quick);
  await Promise.all(Object.values(runtimes).map((runtime) => runtime.close()));
  return rows;
}

async function killAndRebuild(scripts: Script[], quick: boolean): Promise<number> {
  const native = `var native = new TykJS.TykEventHandlers.NewEventHandler({});
native.NewHandler(function () { [].indexOf.call({ length: 9007199254740991 }, 1); });`;
  const timeoutMs = 20;
  const options = { assets, limits: { graceMs: 250 }, isolation: "event" } as const;
  const runtime = await startRuntime([...scripts, { path: "native.js", source: native }], options);
  const taken: number[] = [];
  for (let round = 0; round < (quick ? 1 : KILLS); round += 1) {
    const started = performance.now();
    const killed = await runtime.run({ ...sampleRun(timeoutMs), handler: "native" }, silentHost);
    // Ends when the next event is done, since the sandbox is rebuilt by then.
    const next = await runtime.run(sampleRun(60_000), silentHost);
    taken.push(performance.now() - started - timeoutMs - options.limits.graceMs);
    if (killed.ok || killed.code !== "killed" || !next.ok) throw new Error(JSON.stringify({ killed, next }));
  }
  await runtime.close();
  return rounded(median(taken));
}

async function measure({ quick }: { quick: boolean }): Promise<RuntimeResult> {
  const sample = await sampleRelease();
  const large = [...sample, ...fillerScripts(100)];
  return {
    rows: [
      ...(await inThisThread("sample", sample, quick)),
      ...(await inThisThread("100 scripts more", large, quick)),
      ...(await throughTheThread("sample", sample, quick)),
      ...(await throughTheThread("100 scripts more", large, quick)),
    ],
    kill_ms: await killAndRebuild(sample, quick),
  };
}

export const runtime: Part<RuntimeResult> = {
  name: "runtime",
  measure,
  tables: ({ rows, kill_ms }) => [
    {
      title: "One run of a handler",
      heads: ["release", "measured in", "run", "µs", "times warm"],
      rows: rows.map((row) => Object.values(row)),
    },
    {
      title: "A native that does not end",
      heads: ["", "ms"],
      rows: [["kill, rebuild and the next run, beyond the time limit and its grace", kill_ms]],
    },
  ],
};

if (import.meta.main) await runPart(runtime);
