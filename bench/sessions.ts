// npm run bench:sessions: commands over many sessions: a page of a query at 1,000 and at 1,000,000 sessions, an import,
// and the memory of exports of 10,000 and 100,000. Prints figures without checking them; takes about ten minutes.
import { execFile } from "node:child_process";
import { randomUUID } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { BatchWriteItemCommand } from "@aws-sdk/client-dynamodb";
import { toAttributes } from "../lib/dynamo/attributes.ts";
import { sessionItem } from "../lib/sessions/item.ts";
import { createSessionRows } from "../lib/sessions/rows.ts";
import type { Search } from "../lib/sessions/search.ts";
import type { Session } from "../lib/sessions/session.ts";
import { startAws } from "../local/aws.ts";
import { createClients, createResources } from "../local/resources.ts";

const run = promisify(execFile);
const CLI = new URL("../cli/gatehook.ts", import.meta.url).pathname;
const MANY = Number(process.argv[2] ?? 1_000_000);
const ORGS = 20;
const PAGES = 200;

const aws = await startAws(process.env);
const clients = createClients(aws);

/**
 * One in twenty is of the queried organisation, so that the small table has a full page of it; every second one has a
 * tag.
 */
const session = (nth: number): Session =>
  ({
    rate: 100,
    per: 60,
    expires: 1_800_000_000 + nth,
    access_rights: { orders: { api_id: "orders", api_name: "Orders", versions: ["Default"] } },
    org_id: `org-${nth % ORGS}`,
    alias: `alias-${nth}`,
    tags: nth % 2 ? ["trial"] : ["paid"],
  }) as Session;

async function fill(table: string, count: number): Promise<void> {
  let nth = 0;
  const work = async () => {
    while (nth < count) {
      const from = nth;
      nth += 25;
      const puts = Array.from({ length: Math.min(25, count - from) }, (_, at) => {
        const item = sessionItem(`key-${from + at}`, session(from + at), 1, 0);
        return { PutRequest: { Item: toAttributes(item) } };
      });
      await clients.dynamoClient.send(new BatchWriteItemCommand({ RequestItems: { [table]: puts } }));
    }
  };
  await Promise.all(Array.from({ length: 8 }, work));
}

const median = (numbers: number[]) => numbers.sort((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? 0;

/** The cost of one page of 50, in read units and milliseconds. */
async function pageOf(table: string, search: Search): Promise<{ units: number; ms: number }> {
  const rows = createSessionRows({ dynamo: clients.dynamoClient, table, now: Date.now, random: Math.random });
  const units: number[] = [];
  const ms: number[] = [];
  for (let nth = 0; nth < PAGES; nth += 1) {
    const started = performance.now();
    const page = await rows.page(search, 50);
    ms.push(performance.now() - started);
    units.push(page.units);
  }
  return { units: median(units), ms: median(ms) };
}

async function resources(name: string) {
  return createResources(clients, {
    prefix: `bench-${name}-${randomUUID().slice(0, 8)}`,
    visibilitySeconds: 30,
    receiveLimit: 5,
  });
}

/** Without a limit, garbage would stay in memory as long as the machine has room. */
const HEAP = "--max-old-space-size=64";

/** Runs a command in its own process; returns its duration in seconds, and its maximum memory in MB. */
async function command(env: Record<string, string>, ...args: string[]) {
  const hook =
    "data:text/javascript,process.on('exit',()=>console.error('maxrss '+process.resourceUsage().maxRSS))";
  const started = performance.now();
  const { stderr } = await run(process.execPath, [HEAP, "--import", hook, CLI, "sessions", ...args], {
    env: { ...process.env, ...aws.env, ...env },
    maxBuffer: 1e9,
  });
  const seconds = (performance.now() - started) / 1_000;
  return { seconds, mb: Number(/maxrss (\d+)/.exec(stderr)?.[1]) / 1024 };
}

const folder = await mkdtemp(join(tmpdir(), "gatehook-bench-"));
try {
  const [few, many] = [await resources("few"), await resources("many")];
  await fill(few.env.SESSIONS_TABLE, 1_000);
  await fill(many.env.SESSIONS_TABLE, MANY);
  const searches: Record<string, Search> = {
    "by organisation and expiry": { orgId: "org-7", expires: { from: 1_800_000_000, to: 1_900_000_000 } },
    "by organisation and tag": { orgId: "org-7", tag: "trial" },
    "by alias": { alias: "alias-7" },
    "a page of all": {},
  };
  console.log(`a page of 50, of 1,000 sessions and of ${MANY.toLocaleString("en")}:`);
  for (const [name, search] of Object.entries(searches)) {
    const [one, other] = [
      await pageOf(few.env.SESSIONS_TABLE, search),
      await pageOf(many.env.SESSIONS_TABLE, search),
    ];
    console.log(
      `${name.padEnd(28)} ${one.units} and ${other.units} units, ${one.ms.toFixed(2)} and ${other.ms.toFixed(2)} ms: ratio ${(other.ms / one.ms).toFixed(2)}`,
    );
  }

  const lines = (from: number, count: number) =>
    Array.from(
      { length: count },
      (_, at) =>
        `${JSON.stringify({ key: `imported-${from + at}`, session: session(from + at), updated_at: 1 })}\n`,
    ).join("");
  const target = await resources("import");
  await writeFile(join(folder, "import.jsonl"), lines(0, 20_000));
  const fast = ["import", join(folder, "import.jsonl"), "--rate", "100000"];
  for (const what of ["import", "the same again"]) {
    const { seconds } = await command(target.env, ...fast);
    console.log(
      `${what.padEnd(28)} 20,000 sessions in ${seconds.toFixed(1)} s: ${Math.round(20_000 / seconds)} a second`,
    );
  }
  const sizes = await resources("export");
  let before = 0;
  let rows = 0;
  for (const size of [10_000, 100_000]) {
    await fill(sizes.env.SESSIONS_TABLE, size);
    rows = size;
    const { seconds, mb } = await command(sizes.env, "export", join(folder, `${size}.jsonl`));
    const ratio = before ? `: ratio ${(mb / before).toFixed(2)}` : "";
    console.log(
      `export of ${rows.toLocaleString("en").padEnd(18)} ${seconds.toFixed(1)} s, at most ${mb.toFixed(0)} MB${ratio}`,
    );
    before = mb;
  }
} finally {
  await rm(folder, { recursive: true });
  for (const client of Object.values(clients)) client.destroy();
  await aws.close();
}
