import type { HandlerFigures, Overview } from "../../console/answers.ts";
import { AppError } from "../../lib/errors.ts";
import type { EventRow } from "../../lib/history/event-rows.ts";
import type { AttemptRecord } from "../../lib/history/records.ts";
import { valueIn } from "../../lib/json.ts";
import type { Backend } from "./backend.ts";

const WINDOWS: Record<string, number> = {
  "15m": 900_000,
  "1h": 3_600_000,
  "6h": 21_600_000,
  "1d": 86_400_000,
};
const BUCKETS = 30;

/** Figures of the recorded events, and the counts of the queues. */
export async function overviewOf(backend: Backend, window: string, now: number): Promise<Overview> {
  const span = valueIn(WINDOWS, window);
  if (span === undefined)
    throw new AppError("request-invalid", `window must be one of ${Object.keys(WINDOWS).join(", ")}`, {
      field: "window",
    });
  const { history, deadLetters } = backend;
  const from = now - span;
  const rows = (history?.index.events() ?? []).map(({ row }) => row);
  const recent = rows.filter(({ last_at }) => Date.parse(last_at) >= from);
  const [queue, dead] = await Promise.all([
    deadLetters?.events.size() ?? null,
    deadLetters?.letters.size() ?? null,
  ]);
  return {
    window,
    source: history ? "recorded events" : "the queues alone: no events are recorded here",
    from: new Date(from).toISOString(),
    to: new Date(now).toISOString(),
    buckets: bucketsOf(recent, from, span),
    handlers: history ? await handlerFigures(history.read(), from) : [],
    apis: lastOfEachType(rows),
    refused: recent.filter(({ outcome }) => outcome === "refused").length,
    queue,
    dead,
  };
}

const BAD: ReadonlySet<EventRow["outcome"]> = new Set(["failed", "dead", "refused", "dropped"]);

function bucketsOf(rows: EventRow[], from: number, span: number): Overview["buckets"] {
  const size = span / BUCKETS;
  const buckets = Array.from({ length: BUCKETS }, (_, at) => ({
    at: new Date(from + at * size).toISOString(),
    done: 0,
    failed: 0,
    waits: 0,
  }));
  for (const { last_at, outcome } of rows) {
    const bucket = buckets[Math.min(BUCKETS - 1, Math.floor((Date.parse(last_at) - from) / size))];
    if (bucket) bucket[outcome === "done" ? "done" : BAD.has(outcome) ? "failed" : "waits"] += 1;
  }
  return buckets;
}

async function handlerFigures(
  reader: { read(): AsyncIterable<object> },
  from: number,
): Promise<HandlerFigures[]> {
  const byHandler = new Map<string, { ms: number[]; failed: number; limit: number }>();
  for await (const line of reader.read()) {
    if (!("attempt" in line)) continue;
    const { at, runs } = line.attempt as AttemptRecord;
    if (Date.parse(at) < from) continue;
    for (const { handler, ms, outcome, timeout_ms } of runs) {
      const known = byHandler.get(handler) ?? { ms: [], failed: 0, limit: 0 };
      byHandler.set(handler, known);
      known.ms.push(ms);
      known.limit = timeout_ms;
      if (outcome === "failed") known.failed += 1;
    }
  }
  return [...byHandler]
    .map(([handler, { ms, failed, limit }]) => {
      const sorted = ms.sort((a, b) => a - b);
      const at = (share: number) => sorted[Math.ceil(sorted.length * share) - 1] ?? 0;
      const [p50, p95, p99] = [at(0.5), at(0.95), at(0.99)];
      return { handler, runs: sorted.length, failed, p50, p95, p99, limit_ms: limit };
    })
    .sort((a, b) => b.runs - a.runs);
}

/** The last event of each API and type. */
function lastOfEachType(rows: EventRow[]): Overview["apis"] {
  const apis = new Map<string, Map<string, { type: string; outcome: string; at: string }>>();
  for (const { api_id, type, outcome, last_at } of rows) {
    if (type === "") continue;
    const types = apis.get(api_id) ?? new Map();
    apis.set(api_id, types);
    if (!types.has(type)) types.set(type, { type, outcome, at: last_at });
  }
  return [...apis]
    .map(([api_id, types]) => ({
      api_id,
      types: [...types.values()].sort((a, b) => (a.type < b.type ? -1 : 1)),
    }))
    .sort((a, b) => (a.api_id < b.api_id ? -1 : 1));
}
