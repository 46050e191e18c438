// npm run bench:cost [-- --json]: the cost of a million events, from the units that the engine reports for one event,
// and the size of its log. `npm run bench -- cost --write` writes the table of docs/deploy.md.
import { startTestStack } from "../test/helpers/stack.ts";
import { type Bill, billOf } from "./report/bill.ts";
import { type Part, runPart } from "./shared/part.ts";
import { KINDS, type Kind, openMeter, type Units } from "./shared/units.ts";

/**
 * The cost of an event in a batch of ten that reads and writes one session of 2 KB; `others`: of other kinds of events.
 */
export interface CostResult extends Units {
  /** The size of ingest's log for one event. */
  ingest_log_bytes: number;
  others: { kind: string; read_units: number; write_units: number; usd_per_million: number }[];
  bill: Bill;
  usd_per_million: number;
}

const EVENTS = 20;

/** The size of ingest's log for one event, in bytes. */
async function ingestLogBytes(): Promise<number> {
  const lines: string[] = [];
  const stack = await startTestStack({
    consumers: [],
    onLine: (name, line) => name === "ingest" && lines.push(line),
  });
  try {
    const send = () => stack.post("demo", '{"event":{"Type":"KeyExpired","Meta":{"Key":"demo-key"}}}');
    await send(); // in a container of its own reads the release, and says so
    const before = lines.length;
    for (let nth = 0; nth < EVENTS; nth += 1) {
      const { status } = await send();
      if (status !== 202) throw new Error(`ingest answered ${status}`);
    }
    const bytes = lines.slice(before).reduce((sum, line) => sum + Buffer.byteLength(`${line}\n`), 0);
    return Math.round(bytes / EVENTS);
  } finally {
    await stack.close();
  }
}

async function measure({ quick }: { quick: boolean }): Promise<CostResult> {
  const ingest_log_bytes = await ingestLogBytes();
  const meter = await openMeter();
  try {
    const units = {} as Record<Kind, Units>;
    for (const kind of Object.keys(KINDS) as Kind[]) units[kind] = await meter.measure(kind, quick ? 1 : 20);
    const { touch, ...others } = units;
    const bill = billOf({ ...touch, ingest_log_bytes });
    return {
      ...touch,
      ingest_log_bytes,
      others: Object.entries(others).map(([kind, one]) => ({
        kind: KINDS[kind as Kind],
        read_units: one.read_units,
        write_units: one.write_units,
        usd_per_million: billOf({ ...one, ingest_log_bytes }).sum,
      })),
      bill,
      usd_per_million: bill.sum,
    };
  } finally {
    await meter.close();
  }
}

export const cost: Part<CostResult> = {
  name: "cost",
  measure,
  tables: ({ bill, others }) => [
    {
      title: "A million events, each reads and writes one session of 2 KB",
      heads: ["what", "USD"],
      rows: [
        ...bill.rows.map(({ what, usd }) => [what, usd.toFixed(2)]),
        ["sum", bill.sum.toFixed(2)],
        ["sum without the HTTP API", bill.without_http_api.toFixed(2)],
      ],
    },
    {
      title: "Other events",
      heads: ["an event that", "read units", "write units", "USD a million"],
      rows: others.map(({ kind, read_units, write_units, usd_per_million }) => [
        kind,
        read_units,
        write_units,
        usd_per_million.toFixed(2),
      ]),
    },
  ],
};

if (import.meta.main) await runPart(cost);
