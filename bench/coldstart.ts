// npm run bench:coldstart: the time from the start of a process to the end of its first event: of the packaged
// consumer, of a function that has the same SDK clients and does nothing, and of one that only makes the consumer's
// calls. They are measured in turns, so that other load on the machine affects all of them. Also prints in which steps
// and threads the consumer spends this time.
import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { PutCommand } from "@aws-sdk/lib-dynamodb";
import { build } from "esbuild";
import { buildFunctions, buildZips, bundle, ROOT } from "../deploy/build.ts";
import { SCOPED_KEY } from "../lib/dynamo/state-keys.ts";
import { sessionItem } from "../lib/sessions/item.ts";
import { readSourceFiles } from "../local/files.ts";
import { type Stack, startStack } from "../local/stack.ts";
import { inTurns, median, ratioOf, rounded } from "./shared/figures.ts";
import { type Part, runPart } from "./shared/part.ts";

const ROUNDS = 15;
const KEY = "cold";
const RUNNER = new URL("./coldstart/runner.mjs", import.meta.url).pathname;

/** The measured variants, each with its bundle. */
const VARIANTS = {
  "empty function": "empty",
  "the same calls alone": "calls",
  consumer: "consumer",
  "consumer, its thread started after the SDK": "one-step",
  "consumer, V8's own tiering budget": "v8-budget",
  "the same calls, as esbuild bundles them by itself": "plain-calls",
};
type Variant = keyof typeof VARIANTS;

export interface ColdStartResult {
  rows: { what: string; ms: number; ratio_to_empty: number; ratio_to_calls: number }[];
  /** One after the other in the main thread, in ms. */
  breakdown: { step: string; ms: number }[];
  /** Processor time in ms, by thread. */
  cpu: { what: string; all: number; main: number; sandbox: number; others: number }[];
  zips: { zip: string; kb: number }[];
}

/** Times are in ms since the process began. */
interface Trace {
  begun: number;
  /**
   * `name`: what was done between `from` and `to`; `before`: the name of the time before that. Without `name`, `before`
   * is the name of the whole time.
   */
  marks: { name?: string; before: string; from: number; to: number }[];
  cpu: { all: number; main: number; sandbox: number };
}

function batch() {
  const event = { Type: "KeyExpired", Meta: { Message: "", Path: "/", Origin: "", Key: KEY }, TimeStamp: "" };
  const body = JSON.stringify({ id: randomUUID(), api_id: "demo", event });
  const attributes = { ApproximateReceiveCount: "1" };
  return { Records: [{ messageId: randomUUID(), body, attributes, messageAttributes: {} }] };
}

async function coldStart(
  index: string,
  env: Record<string, string>,
  traced = false,
): Promise<{ ms: number; trace: Trace | undefined }> {
  const started = performance.now();
  const args = [RUNNER, index, JSON.stringify(batch()), ...(traced ? ["traced"] : [])];
  const child = spawn(process.execPath, args, { env, stdio: ["ignore", "pipe", "inherit"] });
  let out = "";
  let ms = 0;
  for await (const chunk of child.stdout) {
    out += chunk;
    ms = performance.now() - started; // at its last word: what the process's end takes is not counted
  }
  // Log lines are written at the end of a turn of the event loop, so one may come after it.
  const answer = out.split("\n").find((line) => line.startsWith('{"batchItemFailures"')) ?? "{}";
  const { batchItemFailures, trace } = JSON.parse(answer);
  if (batchItemFailures?.length !== 0) throw new Error(`${index} did not finish its event: ${out}`);
  return { ms, trace };
}

/** The bundle with V8's own tiering budget instead of the one that lib/runtime/assets.ts sets. */
function withV8Budget(from: string, to: string): void {
  cpSync(from, to, { recursive: true });
  const [own, v8] = ["=2147483647", "=13e6"];
  const chunks = readdirSync(to).filter((file) => file.endsWith(".mjs"));
  const chunk = chunks.find((file) => readFileSync(`${to}/${file}`, "utf8").includes(own));
  if (!chunk) throw new Error("lib/runtime/assets.ts has another budget than bench/coldstart.ts takes out");
  writeFileSync(`${to}/${chunk}`, readFileSync(`${to}/${chunk}`, "utf8").replace(own, v8));
}

/** As a user of the AWS SDK would bundle it, without the optimisations of deploy/. */
async function bundlePlain(source: string, outdir: string): Promise<void> {
  const js = 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);';
  await build({
    absWorkingDir: ROOT,
    entryPoints: { index: source },
    outdir,
    outExtension: { ".js": ".mjs" },
    bundle: true,
    minify: true,
    format: "esm",
    platform: "node",
    target: "node24",
    banner: { js },
    logLevel: "warning",
  });
}

async function prepare({ releases, clients, resources, release }: Stack): Promise<void> {
  for (const file of await readSourceFiles(".")) await releases.writeSource(file);
  await release();
  const session = { expires: 1_000, org_id: "demo-org", access_rights: { demo: { api_id: "demo" } } };
  const put = (TableName: string, Item: Record<string, unknown>) =>
    clients.dynamo.send(new PutCommand({ TableName, Item }));
  await put(resources.SESSIONS_TABLE, sessionItem(KEY, session, 1, 0));
  // Written once for each table, so not part of a cold start.
  await put(resources.STATE_TABLE, { pk: SCOPED_KEY, since: 0 });
}

async function buildVariants(folder: string): Promise<void> {
  await buildFunctions(folder);
  await buildZips(`${folder}/zips`);
  await bundle("bench/coldstart/empty.ts", `${folder}/dist/empty`);
  await bundle("bench/coldstart/calls.ts", `${folder}/dist/calls`);
  await bundle("functions/consumer.ts", `${folder}/dist/one-step`);
  withV8Budget(`${folder}/dist/consumer`, `${folder}/dist/v8-budget`);
  await bundlePlain("bench/coldstart/calls.ts", `${folder}/dist/plain-calls`);
}

/** The steps of the main thread, in their order. */
function stepsOf({ begun, marks }: Trace): { step: string; ms: number }[] {
  const steps = [{ step: "Node starts", ms: begun }];
  let at = begun;
  for (const { name, before, from, to } of marks.toSorted((one, other) => one.from - other.from)) {
    steps.push({ step: before, ms: Math.max(0, from - at) });
    if (name) steps.push({ step: name, ms: Math.max(0, to - Math.max(from, at)) });
    at = Math.max(at, to);
  }
  return steps;
}

async function tracesOf(index: string, env: Record<string, string>, rounds: number): Promise<Trace[]> {
  const traces: Trace[] = [];
  for (let round = 0; round <= rounds; round += 1) {
    const { trace } = await coldStart(index, env, true);
    if (trace && round > 0) traces.push(trace);
  }
  return traces;
}

function breakdownOf(traces: Trace[]): ColdStartResult["breakdown"] {
  const taken = traces.map(stepsOf);
  return (taken[0] ?? []).map(({ step }, nth) => ({
    step,
    ms: rounded(median(taken.map((steps) => steps[nth]?.ms ?? Number.NaN))),
  }));
}

function cpuOf(what: string, traces: Trace[]): ColdStartResult["cpu"][number] {
  const of = (take: (cpu: Trace["cpu"]) => number) => rounded(median(traces.map(({ cpu }) => take(cpu))));
  return {
    what,
    all: of(({ all }) => all),
    main: of(({ main }) => main),
    sandbox: of(({ sandbox }) => sandbox),
    others: of(({ all, main, sandbox }) => Math.max(0, all - main - sandbox)),
  };
}

async function measure({ quick }: { quick: boolean }): Promise<ColdStartResult> {
  const rounds = quick ? 1 : ROUNDS;
  const folder = mkdtempSync(`${tmpdir()}/gatehook-coldstart-`);
  const stack = await startStack({ port: 0, env: process.env });
  try {
    await prepare(stack);
    await buildVariants(folder);
    const indexOf = (name: string) => `${folder}/dist/${name}/index.mjs`;
    const sides = Object.fromEntries(
      Object.entries(VARIANTS).map(([what, name]) => [
        what,
        async () => (await coldStart(indexOf(name), stack.env)).ms,
      ]),
    ) as Record<Variant, () => Promise<number>>;
    const taken = await inTurns(sides, rounds);
    const rows = (Object.keys(VARIANTS) as Variant[]).map((what) => ({
      what,
      ms: rounded(median(taken[what])),
      ratio_to_empty: ratioOf(taken[what], taken["empty function"]),
      ratio_to_calls: ratioOf(taken[what], taken["the same calls alone"]),
    }));
    const zips = readdirSync(`${folder}/zips`)
      .sort()
      .map((zip) => ({ zip, kb: Math.round(statSync(`${folder}/zips/${zip}`).size / 1_000) }));
    const calls = await tracesOf(indexOf("calls"), stack.env, rounds);
    const consumer = await tracesOf(indexOf("consumer"), stack.env, rounds);
    const cpu = [cpuOf("the same calls alone", calls), cpuOf("consumer", consumer)];
    return { rows, breakdown: breakdownOf(consumer), cpu, zips };
  } finally {
    await stack.close();
    rmSync(folder, { recursive: true });
  }
}

export const coldstart: Part<ColdStartResult> = {
  name: "coldstart",
  measure,
  tables: ({ rows, breakdown, cpu, zips }) => [
    {
      title: "Cold start, from the process's start to its first event's end",
      heads: ["what", "ms", "times the empty one", "times the calls alone"],
      rows: rows.map((row) => Object.values(row)),
    },
    {
      title: "What the consumer's cold start is spent on",
      heads: ["step", "ms"],
      rows: breakdown.map((row) => Object.values(row)),
    },
    {
      title: "Processor time by thread",
      heads: ["what", "CPU ms", "main thread", "sandbox", "V8's and others"],
      rows: cpu.map((row) => Object.values(row)),
    },
    { title: "What is deployed", heads: ["zip", "kB"], rows: zips.map((row) => Object.values(row)) },
  ],
};

if (import.meta.main) await runPart(coldstart);
