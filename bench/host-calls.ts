// npm run bench:host-calls [-- WORD --json]: how long a host call of a hostile script blocks the main thread, on which
// all events of a container depend. Each call is run in turns with a handler that does nothing, through the real
// runtime and the real host; sessions and storage are in memory. WORD: only calls with this word in their names.
import { once } from "node:events";
import { parseArgs } from "node:util";
import { Worker } from "node:worker_threads";
import { createLog } from "../functions/log.ts";
import { createEgress } from "../lib/egress/client.ts";
import { loadAssets } from "../lib/runtime/assets.ts";
import { startRuntime } from "../lib/runtime/runtime.ts";
import { parseSession, type Session } from "../lib/sessions/session.ts";
import { createHost } from "../lib/tyk-api/host.ts";
import { batchRequest, makeHttpRequest } from "../lib/tyk-api/http.ts";
import { createMemoryEntries, createStorage } from "../lib/tyk-api/storage.ts";
import { CORPUS, type HostileCall } from "./host-calls/corpus.ts";

const LIMIT_MS = 20;
const ROUNDS = 5;
const TIMEOUT_MS = 5_000;

const { values: options, positionals } = parseArgs({
  options: { json: { type: "boolean", default: false } },
  allowPositionals: true,
});
const corpus = CORPUS.filter(({ call, name }) => `${call} ${name}`.includes(positionals[0] ?? ""));
const IDLE = { body: "" };

/** Sessions of the maximum size. */
const withMeta = (meta_data: unknown) =>
  parseSession(JSON.stringify({ access_rights: { a: { api_id: "a" } }, meta_data }));
const SESSIONS = new Map<string, Session>([
  ["many-members", withMeta(Object.fromEntries(Array.from({ length: 9_900 }, (_, nth) => [`m${nth}`, nth])))],
  ["large", withMeta({ text: "x".repeat(370_000) })],
  ["odd-unicode", withMeta({ text: "\u2028<".repeat(90_000) })],
  ["deep", withMeta({ deep: JSON.parse("[".repeat(28) + "]".repeat(28)) })],
]);

const server = new Worker(new URL("./host-calls/server.ts", import.meta.url));
const [port] = await once(server, "message");
const source = [IDLE, ...corpus]
  .map(
    ({ body }, at) =>
      `var h${at} = new TykJS.TykEventHandlers.NewEventHandler({});\nh${at}.NewHandler(function () { ${body} });`,
  )
  .join("\n");
const scripts = [
  { path: "server.js", source: `var HOST = "127.0.0.1:${port}"; var URL = "http://" + HOST;` },
  { path: "calls.js", source },
];
const runtime = await startRuntime(scripts, { assets: loadAssets(), isolation: "event" });
if (runtime.faults.length > 0) throw new Error(JSON.stringify(runtime.faults));
const egress = createEgress({ allowHosts: ["127.0.0.1"], maxResponseBytes: 1024 * 1024 });
const log = createLog();

function createRunHost() {
  const written = new Map<string, Session>();
  return createHost(
    {
      makeHttpRequest: (request, http) => makeHttpRequest(request, { egress, ...http }),
      batchRequest: (request, http) => batchRequest(request, { egress, ...http }),
      storage: createStorage({ entries: createMemoryEntries(), now: Date.now }),
      allowMasterKeys: false,
      now: Date.now,
    },
    {
      buffer: {
        read: async (key) => written.get(key) ?? SESSIONS.get(key),
        fullNameOf: (key) => key,
        write: async (key, { session }) => void (session ? written.set(key, session) : written.delete(key)),
      },
      event: "e1",
      handler: "h",
      log: (_level, text) => log.info("script", { text }),
      onRead: () => {},
      orgOf: () => "org",
    },
  );
}

/** The longest turn of the event loop in ms, by wall time and by processor time. */
interface Longest {
  wall: number;
  cpu: number;
}

/** Measures the turns of the event loop until it is stopped. */
function watchTurns(): () => Longest {
  const longest: Longest = { wall: 0, cpu: 0 };
  let watching = true;
  let started = performance.now();
  let used = process.threadCpuUsage();
  function turn(): void {
    const { user, system } = process.threadCpuUsage(used);
    longest.wall = Math.max(longest.wall, performance.now() - started);
    longest.cpu = Math.max(longest.cpu, (user + system) / 1000);
    if (!watching) return;
    used = process.threadCpuUsage();
    started = performance.now();
    setImmediate(turn);
  }
  setImmediate(turn);
  return () => {
    watching = false;
    turn();
    return longest;
  };
}

interface Watched extends Longest {
  outcome: string;
}

/** One run of a handler. Its log lines are formatted, but not printed. */
async function watch(handler: number): Promise<Watched> {
  const write = process.stdout.write;
  process.stdout.write = () => true;
  const stop = watchTurns();
  const run = {
    handler: `h${handler}`,
    event: '{"Type":"T","Meta":{}}',
    context: "{}",
    timeoutMs: TIMEOUT_MS,
  };
  const outcome = await runtime.run(run, createRunHost());
  const longest = stop();
  process.stdout.write = write;
  return { ...longest, outcome: outcome.ok ? "done" : outcome.code };
}

interface Result {
  call: HostileCall["call"];
  name: string;
  outcome: string;
  /** The longest turn in ms: the median of the rounds. */
  longest: number;
  cpu: number;
  idle: number;
  ratio: number;
  /** By processor time, since wall time includes other load on the machine. */
  over: boolean;
}

const round = (value: number) => Math.round(value * 100) / 100;
const median = (values: number[]) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;

async function measure({ call, name }: HostileCall, handler: number): Promise<Result> {
  const idle: Watched[] = [];
  const busy: Watched[] = [];
  for (let nth = 0; nth < ROUNDS; nth += 1) {
    idle.push(await watch(0));
    busy.push(await watch(handler));
  }
  const longest = round(median(busy.map(({ wall }) => wall)));
  const cpu = round(median(busy.map((each) => each.cpu)));
  const base = round(median(idle.map(({ wall }) => wall)));
  const outcome = [...new Set(busy.map((each) => each.outcome))].join("/");
  return {
    call,
    name,
    outcome,
    longest,
    cpu,
    idle: base,
    ratio: round(longest / base),
    over: cpu > LIMIT_MS,
  };
}

function printRow(cells: (string | number)[]): void {
  const [call, name, ...rest] = cells;
  console.log(
    [String(call).padEnd(16), String(name).padEnd(38), ...rest.map((cell) => String(cell).padStart(11))].join(
      " ",
    ),
  );
}

await watch(0);
printRow(["call", "what", "outcome", "longest ms", "cpu ms", "idle ms", "ratio", ""]);
const results: Result[] = [];
for (const [at, each] of corpus.entries()) {
  const result = await measure(each, at + 1);
  results.push(result);
  const { call, name, outcome, longest, cpu, idle, ratio, over } = result;
  printRow([
    call,
    name,
    outcome,
    longest.toFixed(1),
    cpu.toFixed(1),
    idle.toFixed(2),
    ratio.toFixed(0),
    over ? "OVER" : "",
  ]);
}
const over = results.filter((result) => result.over);
console.log(
  `${over.length} of ${results.length} take the main thread more than ${LIMIT_MS} ms of processor time`,
);
for (const { call, name, cpu } of over) console.log(`  ${call}, ${name}: ${cpu.toFixed(1)} ms`);
await Promise.all([runtime.close(), egress.close(), server.terminate()]);
if (options.json)
  console.log(JSON.stringify({ limitMs: LIMIT_MS, rounds: ROUNDS, over: over.length, calls: results }));
