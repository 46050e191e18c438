// The targets, compared with the results of one run.
import type { Results } from "./results.ts";

export interface Target {
  what: string;
  measured: number;
  /** At least, or at most. */
  bound: { least: number } | { most: number };
}

export const isMet = ({ measured, bound }: Target) =>
  "least" in bound ? measured >= bound.least : measured <= bound.most;

export const boundText = ({ bound }: Target) =>
  "least" in bound ? `at least ${bound.least}` : `at most ${bound.most}`;

const PIPELINE = {
  "250 B": { 10: { plain: 4, warm: 2.3 }, 100: { plain: 7, warm: 4.5 } },
  "2.7 KB": { 10: { plain: 3, warm: 1.8 }, 100: { plain: 5, warm: 3 } },
} as const;

function pipelineTargets({ ratios, ratios_large }: Results["pipeline"]): Target[] {
  const measured = { "250 B": ratios, "2.7 KB": ratios_large };
  return (["250 B", "2.7 KB"] as const).flatMap((session) =>
    ([10, 100] as const).flatMap((batch) =>
      (["plain", "warm"] as const).map((side) => ({
        what: `CPU an event, session of ${session}, batch of ${batch}: times less than plain, ${side === "plain" ? "fresh" : "warm"} context`,
        measured: measured[session][batch]?.[side] ?? Number.NaN,
        bound: { least: PIPELINE[session][batch][side] },
      })),
    ),
  );
}

export function targets({
  pipeline,
  codec,
  runtime,
  io,
  coldstart,
  contention,
  scale,
  cost,
}: Results): Target[] {
  const isolated = (release: string, where: string) =>
    runtime.rows.find(
      (row) => row.release === release && row.where === where && row.how === "isolated by event",
    )?.ratio ?? Number.NaN;
  const most = (series: { points: { ratio: number }[] }) =>
    Math.max(...series.points.map(({ ratio }) => ratio));
  return [
    ...pipelineTargets(pipeline),
    ...Object.entries(codec.bytes).map(([size, { ratios }]) => ({
      what: `a session of ${size} bytes shown to a script, in JSON round trips`,
      measured: ratios.codec_show ?? Number.NaN,
      bound: { most: codec.target },
    })),
    { what: "AWS calls an event, batch of 10", measured: pipeline.aws_calls, bound: { most: 0.25 } },
    {
      what: "log bytes an event, the script's own line in them",
      measured: pipeline.log_bytes,
      bound: { most: 450 },
    },
    {
      what: "write units an event that reads and writes one session of 2 KB",
      measured: cost.write_units,
      bound: { most: 3 },
    },
    { what: "USD a million of such events", measured: cost.usd_per_million, bound: { most: 4.9 } },
    {
      what: "events on one session, 20 containers: done, times a FIFO queue",
      measured: contention.ratios.fifo,
      bound: { most: 1.5 },
    },
    {
      what: "write units an event on one session, 20 containers",
      measured: contention.together.units_per_event,
      bound: { most: 3 },
    },
    {
      what: "ten events with one HTTP call each and ten workers: times one event",
      measured: io.rows.find(({ workers }) => workers === 10)?.ratio ?? Number.NaN,
      bound: { most: 1.4 },
    },
    {
      what: "isolated run, times warm, from the main thread",
      measured: isolated("sample", "from the main thread"),
      bound: { most: 1.2 },
    },
    {
      what: "isolated run, times warm, in its own thread with 100 scripts more",
      measured: isolated("100 scripts more", "its own thread"),
      bound: { most: 1.2 },
    },
    {
      what: "cold start, times the same calls alone",
      measured: coldstart.rows.find(({ what }) => what === "consumer")?.ratio_to_calls ?? Number.NaN,
      bound: { most: 1.25 },
    },
    {
      what: "CPU an event with more scripts, times one script",
      measured: most(scale.scripts),
      bound: { most: 1.1 },
    },
    {
      what: "CPU an event with more sessions, times a thousand",
      measured: most(scale.sessions),
      bound: { most: 1.1 },
    },
  ];
}
