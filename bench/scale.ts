// npm run bench:scale: how the cost of an event grows with the number of scripts in the release, the number of sessions
// in the table, the size of the session, and the size of the batch. Each point of a series has its own container; they
// are measured in turns.
import { type Container, type Measured, type Slice, startContainer } from "./shared/container.ts";
import { inTurns, median, ratioOf, rounded, slope } from "./shared/figures.ts";
import { type Part, runPart } from "./shared/part.ts";
import { openPlace, type Place } from "./shared/place.ts";
import { definition, EDITOR_RELEASE, keysOf, SESSIONS, sessionOf } from "./shared/samples.ts";

const SCRIPTS = [1, 10, 100, 1_000, 10_000];
const SESSION_COUNTS = [1_000, 10_000, 100_000, 1_000_000];
const SESSION_KB = [1, 3, 10, 30, 100, 300];
const BATCHES = [1, 3, 10, 30, 100, 300, 1_000];
const ROUNDS = 3;
const EVENTS = 300;

interface Point {
  x: number;
  /** Processor time of an event, in ms. */
  cpu_ms: number;
  /** Divided by that of the first point, turn by turn. */
  ratio: number;
}

export interface Series {
  points: Point[];
  /** The additional cost of an event for each further unit, in µs: least squares over the points. */
  us_per_unit: number;
}

export type ScaleResult = Record<"scripts" | "sessions" | "session_kb" | "batch", Series>;

interface Run {
  x: number;
  container: Container;
  slice: Slice;
}

async function series(runs: Run[], quick: boolean): Promise<Series> {
  const sides = Object.fromEntries(runs.map(({ x, container, slice }) => [x, () => container.run(slice)]));
  const taken = (await inTurns(sides, quick ? 1 : ROUNDS)) as Record<string, Measured[]>;
  const each = (x: number) => (taken[x] ?? []).map(({ cpu, events }) => cpu.total / events);
  const first = each(runs[0]?.x ?? 0);
  const points = runs.map(({ x }) => ({
    x,
    cpu_ms: rounded(median(each(x))),
    ratio: ratioOf(each(x), first),
  }));
  return { points, us_per_unit: rounded(1_000 * slope(points.map(({ x, cpu_ms }) => [x, cpu_ms])), 2) };
}

/** This number of scripts, each the handler of its own API; the first is the session editor. */
const release = (count: number) => [
  ...EDITOR_RELEASE,
  ...Array.from({ length: count - 1 }, (_, nth) => nth).flatMap((nth) => [
    definition(`api-${nth}`, `h${nth}`, `${nth}.js`),
    {
      path: `handlers/${nth}.js`,
      text: `var h${nth} = new TykJS.TykEventHandlers.NewEventHandler({});
h${nth}.NewHandler(function (event, context) { log(event.Type + ${nth}); });
`,
    },
  ]),
];

const slice = (prefix: string, keys: number, batch: number, quick: boolean): Slice => ({
  prefix,
  keys,
  batch,
  batches: quick ? 1 : Math.ceil(EVENTS / batch),
});

async function byScripts(place: Place, quick: boolean): Promise<Series> {
  const containers: Container[] = [];
  try {
    const runs: Run[] = [];
    for (const x of SCRIPTS) {
      const { env, putSessions } = await place.space(release(x));
      await putSessions(keysOf("k", 100), SESSIONS["250 B"]);
      const container = await startContainer("gatehook", env);
      containers.push(container);
      runs.push({ x, container, slice: slice("k", 100, 10, quick) });
    }
    return await series(runs, quick);
  } finally {
    await Promise.all(containers.map((container) => container.close()));
  }
}

/** The sizes and the batches share one container and one table, since they leave no lasting difference. */
async function inOneContainer(place: Place, quick: boolean) {
  const { env, putSessions } = await place.space(EDITOR_RELEASE);
  const container = await startContainer("gatehook", env);
  try {
    await putSessions(keysOf("k", 1_000), SESSIONS["250 B"]);
    const sizes: Run[] = [];
    for (const x of SESSION_KB) {
      await putSessions(keysOf(`size ${x} `, 30), sessionOf(x * 1_000));
      sizes.push({ x, container, slice: { ...slice(`size ${x} `, 30, 10, quick), batches: quick ? 1 : 5 } });
    }
    const batches = BATCHES.map((x) => ({ x, container, slice: slice("k", 1_000, x, quick) }));
    await container.run(slice("k", 1_000, 10, quick));
    return { session_kb: await series(sizes, quick), batch: await series(batches, quick) };
  } finally {
    await container.close();
  }
}

async function bySessions(place: Place, quick: boolean): Promise<Series> {
  const containers: Container[] = [];
  try {
    const runs: Run[] = [];
    for (const x of quick ? SESSION_COUNTS.slice(0, 2) : SESSION_COUNTS) {
      const { env, putSessions } = await place.space(EDITOR_RELEASE);
      await putSessions(keysOf("k", x), SESSIONS["250 B"]);
      const container = await startContainer("gatehook", env);
      containers.push(container);
      runs.push({ x, container, slice: { ...slice("k", x, 10, quick), stride: Math.floor(x / 997) } });
    }
    return await series(runs, quick);
  } finally {
    await Promise.all(containers.map((container) => container.close()));
  }
}

async function measure({ quick }: { quick: boolean }): Promise<ScaleResult> {
  const place = await openPlace();
  try {
    const scripts = await byScripts(place, quick);
    const { session_kb, batch } = await inOneContainer(place, quick);
    return { scripts, sessions: await bySessions(place, quick), session_kb, batch };
  } finally {
    await place.close();
  }
}

const TITLES: Record<keyof ScaleResult, [what: string, title: string]> = {
  scripts: ["scripts", "Scripts of the release"],
  sessions: ["sessions", "Sessions of the table"],
  session_kb: ["KB", "Size of the session"],
  batch: ["events", "Events of a batch"],
};

export const scale: Part<ScaleResult> = {
  name: "scale",
  measure,
  tables: (result) =>
    (Object.keys(TITLES) as (keyof ScaleResult)[]).map((name) => ({
      title: `${TITLES[name][1]}: ${result[name].us_per_unit} µs an event for one more`,
      heads: [TITLES[name][0], "CPU ms an event", "times the first"],
      rows: result[name].points.map(({ x, cpu_ms, ratio }) => [x.toLocaleString("en"), cpu_ms, ratio]),
    })),
};

if (import.meta.main) await runPart(scale);
