// npm run bench:history: the cost of recording a history: of an event in the consumer (processor time of its process,
// as in bench:pipeline), and of a run from the main thread (as in bench:runtime). With and without a history, in turns.
import { DONE } from "../lib/consumer/outcome.ts";
import { createRecorder, type Recorder, type RecorderDeps } from "../lib/history/recorder.ts";
import { FORMAT, lineOf } from "../lib/history/records.ts";
import type { Delivery } from "../lib/queue/delivery.ts";
import { startRuntime } from "../lib/runtime/runtime.ts";
import { assets } from "./runtime/sandboxes.ts";
import { sampleRelease, sampleRun, silentHost } from "./sample.ts";
import { startContainer } from "./shared/container.ts";
import { inTurns, median, ratioOf, rounded } from "./shared/figures.ts";
import { type Part, runPart } from "./shared/part.ts";
import { openPlace } from "./shared/place.ts";
import { EDITOR_RELEASE, keysOf, SESSIONS } from "./shared/samples.ts";

const KEYS = 1_000;
const ROUNDS = 40;
const EVENTS = { 1: 150, 10: 300, 100: 500 };
const RUNS = 300;

interface Row {
  measured: string;
  off: number;
  on: number;
  ratio: number;
}

export interface HistoryResult {
  rows: Row[];
}

async function inTheConsumer(quick: boolean): Promise<Row[]> {
  const place = await openPlace();
  try {
    const { env, putSessions } = await place.space(EDITOR_RELEASE);
    for (const side of ["off", "on"]) await putSessions(keysOf(`${side} `, KEYS), SESSIONS["250 B"]);
    const off = await startContainer("gatehook", env);
    const on = await startContainer("gatehook", { ...env, GATEHOOK_HISTORY: "lines" });
    const rows: Row[] = [];
    try {
      for (const [size, events] of Object.entries(EVENTS)) {
        const batch = Number(size);
        const slice = { batch, batches: quick ? 2 : Math.ceil(events / batch), keys: KEYS };
        const taken = await inTurns(
          {
            off: () => off.run({ ...slice, prefix: "off " }),
            on: () => on.run({ ...slice, prefix: "on " }),
          },
          quick ? 1 : ROUNDS,
        );
        const cpu = (side: "off" | "on") =>
          taken[side].map(({ cpu: { total }, events: done }) => total / done);
        rows.push(rowOf(`an event of a batch of ${batch}, ms of CPU`, cpu("off"), cpu("on")));
      }
    } finally {
      await Promise.all([off.close(), on.close()]);
    }
    return rows;
  } finally {
    await place.close();
  }
}

const rowOf = (measured: string, off: number[], on: number[]): Row => ({
  measured,
  off: rounded(median(off)),
  on: rounded(median(on)),
  ratio: ratioOf(on, off),
});

/** A batch of one run, so that each run is passed to the sink by itself. */
async function fromTheMainThread(quick: boolean): Promise<Row[]> {
  const runtime = await startRuntime(await sampleRelease(), { assets, isolation: "global" });
  let bytes = 0;
  const deps: RecorderDeps = {
    async sink(attempts) {
      for (const attempt of attempts) bytes += lineOf({ history: FORMAT, attempt }).length;
      return 0;
    },
    metrics: { count() {}, countBy() {}, observe() {} },
    now: Date.now,
    container: "bench",
    isolation: "global",
  };
  const all = createRecorder(deps);
  const failed = createRecorder({ ...deps, keeps: () => false });
  const run = sampleRun(5_000);
  // The data that a consumer has of its event in any case.
  const host = { ...silentHost, failure: undefined, stuckFor: () => undefined };
  const delivery = {
    envelope: { id: "e1", api_id: "demo", event: JSON.parse(run.event) },
    identity: "demo#e1",
    digest: "",
    records: [],
  } as unknown as Delivery;
  const recorded = (history: Recorder) => async () => {
    const recorder = history.startRun(delivery, run, "session-editor.js");
    recorder.ended(await runtime.run(run, recorder.around(host)), DONE);
    history.ended(delivery, { outcome: "done" });
    await history.flush(60_000);
  };
  const timed = (work: () => Promise<unknown>) => async () => {
    const started = performance.now();
    for (let done = 0; done < RUNS; done += 1) await work();
    return ((performance.now() - started) / RUNS) * 1_000;
  };
  const taken = await inTurns(
    {
      off: timed(() => runtime.run(run, host)),
      all: timed(recorded(all)),
      failed: timed(recorded(failed)),
    },
    quick ? 1 : ROUNDS,
  );
  await runtime.close();
  if (bytes === 0) throw new Error("nothing was recorded");
  return [
    rowOf("a run from the main thread, µs", taken.off, taken.all),
    rowOf("a run from the main thread that is not kept, since it did not fail, µs", taken.off, taken.failed),
  ];
}

async function measure({ quick }: { quick: boolean }): Promise<HistoryResult> {
  return { rows: [...(await fromTheMainThread(quick)), ...(await inTheConsumer(quick))] };
}

export const history: Part<HistoryResult> = {
  name: "history",
  measure,
  tables: ({ rows }) => [
    {
      title: "What a history costs",
      heads: ["measured", "without", "with", "ratio"],
      rows: rows.map((row) => Object.values(row)),
    },
  ],
};

if (import.meta.main) await runPart(history);
