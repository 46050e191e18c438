import { barChart, lineChart } from "./chart.ts";
import type { Results } from "./results.ts";

const SIDES = ["plain fresh", "plain warm", "gatehook"] as const;

const count = (value: number) => value.toLocaleString("en");

/** Every chart of docs/performance.md, by its file's name in docs/images/. */
export function charts({ pipeline, io, coldstart, memory, reload, scale }: Results): Record<string, string> {
  const batches = [...new Set(pipeline.rows.map(({ batch }) => batch))];
  const cpu = (session: string, side: string) =>
    batches.map(
      (batch) =>
        pipeline.rows.find((row) => row.session === session && row.side === side && row.batch === batch)
          ?.cpu_ms ?? 0,
    );
  const pipelineChart = (session: string) =>
    barChart(
      {
        title: `Processor time an event, session of ${session}`,
        unit: "ms, less is better",
        axis: "events of a batch",
      },
      batches.map(String),
      SIDES.map((name) => ({ name, values: cpu(session, name) })),
    );
  const scaleChart = (name: keyof Results["scale"], axis: string) =>
    lineChart(
      {
        title: `Processor time an event by ${axis}`,
        unit: "ms, batches of ten unless it says otherwise",
        axis,
      },
      scale[name].points.map(({ x }) => count(x)),
      [{ name: axis, values: scale[name].points.map(({ cpu_ms }) => cpu_ms) }],
    );
  return {
    "performance-pipeline-small.svg": pipelineChart("250 B"),
    "performance-pipeline-large.svg": pipelineChart("2.7 KB"),
    "performance-io.svg": lineChart(
      { title: "Ten events with one HTTP call of 100 ms each", unit: "ms a batch", axis: "workers" },
      io.rows.map(({ workers }) => String(workers)),
      [{ name: "a batch of ten", values: io.rows.map(({ batch_ms }) => batch_ms) }],
    ),
    "performance-coldstart.svg": barChart(
      { title: "Cold start to the end of the first event", unit: "ms", axis: "" },
      coldstart.rows.slice(0, 3).map(({ what }) => what),
      [{ name: "ms", values: coldstart.rows.slice(0, 3).map(({ ms }) => ms) }],
    ),
    "performance-reload.svg": lineChart(
      { title: "Reload on a warm container", unit: "ms", axis: "scripts of the release" },
      reload.rows.map(({ scripts }) => count(scripts)),
      [{ name: "median", values: reload.rows.map(({ median_ms }) => median_ms) }],
    ),
    "performance-memory.svg": lineChart(
      { title: "Resident memory of a container", unit: "MB", axis: "workers" },
      memory.rows.map(({ workers }) => String(workers)),
      [{ name: "resident", values: memory.rows.map(({ resident_mb }) => resident_mb) }],
    ),
    "performance-scripts.svg": scaleChart("scripts", "scripts of the release"),
    "performance-sessions.svg": scaleChart("sessions", "sessions of the table"),
    "performance-session-size.svg": scaleChart("session_kb", "KB of the session"),
    "performance-batch.svg": scaleChart("batch", "events of a batch"),
  };
}
