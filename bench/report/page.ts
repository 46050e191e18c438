// docs/performance.md, made from the stored results: `npm run bench -- --write`.
import { withFooter } from "../../deploy/docs-pages.ts";
import { codec } from "../codec.ts";
import { coldstart } from "../coldstart.ts";
import { contention } from "../contention.ts";
import { io } from "../io.ts";
import { memory } from "../memory.ts";
import { pipeline } from "../pipeline.ts";
import { profile } from "../profile.ts";
import { reloading } from "../reload.ts";
import { runtime } from "../runtime.ts";
import { scale } from "../scale.ts";
import { rounded } from "../shared/figures.ts";
import type { Table } from "../shared/part.ts";
import { markdownTable } from "../shared/table.ts";
import { ASSUMED, type Load, measuredOf, type Projection, project, usdPerMonth } from "./model.ts";
import type { Results, Stored } from "./results.ts";
import { boundText, isMet, targets } from "./targets.ts";

const LOADS: Load[] = [10, 100].map((batch) => ({ eventsPerSecond: 10_000, keys: 1_000_000, batch }));

const image = (alt: string, name: string) => `![${alt}](images/performance-${name}.svg)`;
const tableText = ({ heads, rows }: Table) => markdownTable(heads, rows);
const withTitle = (table: Table) => `${table.title}:\n\n${tableText(table)}`;
const exact = (value: number) => value.toLocaleString("en");
const number = (value: number) => rounded(value).toLocaleString("en");

/** Why targets are missed. The tables that it mentions are made from the results. */
const WAY = `The other targets are missed for these reasons. For an event, it is the AWS SDK and Node's HTTP for
four calls in each batch. Two of these calls are needed for marks, which reduce the cost of an event from 6 to 3 write units
([delivery.md](delivery.md#the-commit)); a third of a millisecond costs less than a hundredth of what they save. For large
sessions it is also the garbage of their texts, which are copied four times (see the [profile](#what-an-event-costs)). For a
cold start, it is a second thread with QuickJS on the same two processors, and the code that is loaded in addition to the
SDK (see the [steps](#cold-start)).`;

function targetsText(results: Results): string {
  const all = targets(results);
  const missed = all.filter((target) => !isMet(target));
  const rows = all.map((target) => [
    target.what,
    target.measured,
    boundText(target),
    isMet(target) ? "yes" : "no",
  ]);
  const sum = `${all.length - missed.length} of ${all.length} targets are met.`;
  return `${sum}${missed.length > 0 ? ` ${WAY}` : ""}\n\n${markdownTable(["what", "measured", "target", "met"], rows)}`;
}

/** The processor time of a batch of ten, by thread. */
function threadsText({ rows }: Results["pipeline"]): string {
  const own = rows.filter(({ side, batch }) => side === "gatehook" && batch > 1);
  const share = (part: number, all: number) => `${Math.round((100 * part) / all)} %`;
  return markdownTable(
    ["session", "batch", "main thread", "sandbox's thread", "V8's and others"],
    own.map(({ session, batch, cpu_ms, main_ms, sandbox_ms, rest_ms }) => [
      session,
      batch,
      share(main_ms, cpu_ms),
      share(sandbox_ms, cpu_ms),
      share(rest_ms, cpu_ms),
    ]),
  );
}

function modelText(results: Results): string {
  const all = LOADS.map((load) => project(load, measuredOf(results.pipeline, load.batch)));
  const heads = ["", ...all.map(({ load }) => `batch of ${load.batch}`)];
  const row = (what: string, value: (one: Projection) => number) => [
    what,
    ...all.map((one) => number(value(one))),
  ];
  const [first] = all;
  if (!first) return "";
  const load = markdownTable(heads, [
    row("an invocation, ms", ({ invocationMs }) => invocationMs),
    row("containers at the same time", ({ containers }) => Math.ceil(containers)),
    row("write units a second", ({ writeUnitsPerSecond }) => writeUnitsPerSecond),
    row("read units a second", ({ readUnitsPerSecond }) => readUnitsPerSecond),
    ...first.usdPerMillion.map(({ what }, nth) =>
      row(`${what}, USD a million events`, ({ usdPerMillion }) => usdPerMillion[nth]?.usd ?? 0),
    ),
    row("sum, USD a million events", ({ usdPerMillion }) =>
      usdPerMillion.reduce((sum, { usd }) => sum + usd, 0),
    ),
    row("stored sessions and ledger, USD a month", ({ storedUsdPerMonth }) => storedUsdPerMonth),
    row("all of it, USD a month", usdPerMonth),
  ]);
  const limits = markdownTable(
    ["limit", "needed", "quota", "share"],
    first.limits.map(({ what, need, quota }) => [
      what,
      number(need),
      number(quota),
      `${Math.round((100 * need) / quota)} %`,
    ]),
  );
  const { eventsPerSecond, keys } = first.load;
  return `This table calculates what ${number(eventsPerSecond)} events a second on ${number(keys)} keys would take, from the figures above and
these assumptions: a session of ${exact(ASSUMED.SESSION_BYTES)} bytes, ${ASSUMED.CALL_MS} ms for a call to DynamoDB, ${exact(ASSUMED.MEMORY_MB)} MB of memory, one processor at
${exact(ASSUMED.MB_PER_CORE)} MB, ${ASSUMED.LEDGER_BYTES} bytes for a ledger entry, the default retention, and the prices of
[deploy.md](deploy.md#what-it-costs) without the HTTP API and ingest, which a publisher does not need. This load was not run.

${load}

The share of each default AWS quota, with batches of ${first.load.batch}. The first quota that is reached: ${first.limits[0]?.what}.

${limits}

Quotas of a table and of functions can be raised. The quota of a partition cannot; DynamoDB splits a partition that stays
hot, which takes minutes and does not help if a single key is hot.`;
}

export function page({ machine, seconds, results }: Stored): string {
  const [costs, ratios] = pipeline.tables(results.pipeline);
  const [runs, kill] = runtime.tables(results.runtime);
  const [cold, breakdown, cpu, zips] = coldstart.tables(results.coldstart);
  const [times, cost] = contention.tables(results.contention);
  const [scripts, sessions, sizes, batches] = scale.tables(results.scale);
  const table = (one: Table | undefined) => (one ? tableText(one) : "");
  const titled = (one: Table | undefined) => (one ? withTitle(one) : "");
  const text = `# Performance

<!-- Written by npm run bench -- --write: do not edit. -->

\`npm run bench\` measures all of this on your machine, and \`npm run bench -- --write\` writes this page. The figures below are from one run on ${machine.cores} cores with Node ${machine.node} (${machine.platform}), in ${Math.round(seconds / 60)} minutes. Alternatives are measured in turns, so compare ratios; absolute
times are from one machine, with local services that are faster than AWS. Each part can be run alone, and prints
its result as JSON in its last line:

\`\`\`sh
npm run bench:pipeline -- --json
npm run bench -- pipeline io          # only these parts
npm run bench -- --write              # also writes the page, the charts and bench/results.json
\`\`\`

## Targets

${targetsText(results)}

## What an event costs

These are three consumers on the same tables, each in its own process, called through the function's \`main\`; the handler is
\`handlers/session-editor.js\`. *Plain* is a consumer that you might write yourself: a mark by PutItem, GetItem, the handler, PutItem,
UpdateItem. *Fresh* creates a QuickJS context for each record and processes records one after the other; *warm* has one context and
processes them in parallel. Both run the script with a few lines instead of the gateway's API, and with a limit on time and
memory. Plain loses an event if its container ends after the mark, and two plain consumers may overwrite each other's
session; gatehook does neither.

${image("Processor time an event with a small session", "pipeline-small")}

${image("Processor time an event with a large session", "pipeline-large")}

${table(ratios)}

${table(costs)}

Processor time is in milliseconds, by thread: the main thread, the sandbox's thread, and the threads of V8 and Node. The session editor changes \`expires\`, which is a key of the sessions' index; a handler that changes a session of 2 KB but not the index takes ${results.pipeline.write_units} write units and ${results.pipeline.read_units} read units.

gatehook's time is spent as follows:

${threadsText(results.pipeline)}

${titled(profile.tables(results.profile)[0])}

Most of the rest is not gatehook's own code: it is four calls to DynamoDB in each batch (read sessions, read the ledger, write
sessions, write the ledger) with the AWS SDK and Node's HTTP, and the garbage of their bodies. With one transaction for each
batch two calls would be enough, for twice the write units. A client of our own would take less time, but would have to
implement signing, retries and endpoints, so we use the SDK.

## The session's text

This is the cost of a session from the table to a script and back. *Exact* is the decoder that reads every text as the
gateway does; the quick decoder handles the texts that it reads in the same way.

${table(codec.tables(results.codec)[0])}

## One run of a handler

${table(runs)}

According to Node's documentation, node:vm is not a security boundary, and isolated-vm is native code that Lambda's zip would
have to contain for each platform. Both run the scripts with a small replacement of the gateway's API and without its limits.
isolated-vm is measured if it is installed: \`npm install --no-save isolated-vm@7\`.

${titled(kill)}

## Handlers that wait

${image("Ten events with one HTTP call each, by workers", "io")}

${titled(io.tables(results.io)[0])}

## Cold start

${image("Cold start", "coldstart")}

${table(cold)}

${titled(breakdown)}

The steps are from separate runs with tracing, so their sum differs from the figure above.

${titled(cpu)}

${titled(zips)}

## Reload

${image("Reload by scripts", "reload")}

${titled(reloading.tables(results.reload)[0])}

## Memory

${image("Memory by workers", "memory")}

${titled(memory.tables(results.memory)[0])}

\`npm run soak:memory\` runs a million events and prints how memory grows.

## Contention

${titled(times)}

${titled(cost)}

The tables are in memory and lock items as DynamoDB does, with assumed latencies.

## Growth

${image("By scripts", "scripts")}

${titled(scripts)}

${image("By sessions", "sessions")}

${titled(sessions)}

${image("By session size", "session-size")}

${titled(sizes)}

${image("By batch", "batch")}

${titled(batches)}

## Calculated load

${modelText(results)}
`;
  return withFooter("performance.md", text);
}
