// npm run bench:coldstart: from the start of a process to its first event's end, of the packaged consumer, of a
// function that has the same SDK clients and does nothing, and of one that makes the consumer's calls and nothing
// else; in turns, so that what else the machine does falls on all. And what of it the consumer spends on what.
import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { PutCommand } from "@aws-sdk/lib-dynamodb";
import { buildFunctions, buildZips, bundle } from "../deploy/build.ts";
import { SCOPED_KEY } from "../lib/consumer/ledger-item.ts";
import { sessionItem } from "../lib/sessions/item.ts";
import { readSourceFiles } from "../local/files.ts";
import { type Stack, startStack } from "../local/stack.ts";
import { inTurns, median, ratioOf, rounded } from "./shared/figures.ts";
import { type Part, runPart } from "./shared/part.ts";

const ROUNDS = 15;
const KEY = "cold";
const RUNNER = new URL("./coldstart/runner.mjs", import.meta.url).pathname;

/** What is measured, and the bundle that it is. */
const VARIANTS = {
  "empty function": "empty",
  "the same calls alone": "calls",
  consumer: "consumer",
  "consumer, its thread started after the SDK": "one-step",
  "consumer, V8's own tiering budget": "v8-budget",
};
type Variant = keyof typeof VARIANTS;

export interface ColdStartResult {
  rows: { what: string; ms: number; ratio_to_empty: number; ratio_to_calls: number }[];
  /** One after the other, in ms. */
  breakdown: { step: string; ms: number }[];
  zips: { zip: string; kb: number }[];
}

/** In ms since the process began. */
interface Trace {
  begun: number;
  loaded: number;
  calls: { name: string; from: number; to: number }[];
  ended: number;
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
  const { batchItemFailures, trace } = JSON.parse(out.slice(out.lastIndexOf("\n") + 1));
  if (batchItemFailures?.length !== 0) throw new Error(`${index} did not finish its event: ${out}`);
  return { ms, trace };
}

/** As lib/runtime/assets.ts would be without a budget of its own. */
function withV8Budget(from: string, to: string): void {
  cpSync(from, to, { recursive: true });
  const chunks = readdirSync(to).filter((file) => file.endsWith(".mjs"));
  const [chunk = ""] = chunks.filter((file) => readFileSync(`${to}/${file}`, "utf8").includes("=8e8"));
  writeFileSync(`${to}/${chunk}`, readFileSync(`${to}/${chunk}`, "utf8").replace("=8e8", "=13e6"));
}

async function prepare({ releases, clients, resources, release }: Stack): Promise<void> {
  for (const file of await readSourceFiles(".")) await releases.writeSource(file);
  await release();
  const session = { expires: 1_000, org_id: "demo-org", access_rights: { demo: { api_id: "demo" } } };
  const put = (TableName: string, Item: Record<string, unknown>) =>
    clients.dynamo.send(new PutCommand({ TableName, Item }));
  await put(resources.SESSIONS_TABLE, sessionItem(KEY, session, 1, 0));
  // Written once in the life of a table.
  await put(resources.STATE_TABLE, { pk: SCOPED_KEY, since: 0 });
}

async function buildVariants(folder: string): Promise<void> {
  await buildFunctions(folder);
  await buildZips(`${folder}/zips`);
  await bundle("bench/coldstart/empty.ts", `${folder}/dist/empty`);
  await bundle("bench/coldstart/calls.ts", `${folder}/dist/calls`);
  await bundle("functions/consumer.ts", `${folder}/dist/one-step`);
  withV8Budget(`${folder}/dist/consumer`, `${folder}/dist/v8-budget`);
}

/** What follows what: the process, its modules, and each call with the work before it. */
function stepsOf({ begun, loaded, calls, ended }: Trace): { step: string; ms: number }[] {
  const steps = [
    { step: "Node starts", ms: begun },
    { step: "the function's modules are loaded", ms: loaded - begun },
  ];
  let at = loaded;
  for (const { name, from, to } of calls) {
    steps.push({ step: `work before ${name}`, ms: Math.max(0, from - at) });
    steps.push({ step: name, ms: Math.max(0, to - Math.max(from, at)) });
    at = Math.max(at, to);
  }
  return [...steps, { step: "work to the answer", ms: ended - at }];
}

async function breakdownOf(index: string, env: Record<string, string>, rounds: number) {
  const taken: { step: string; ms: number }[][] = [];
  for (let round = 0; round <= rounds; round += 1) {
    const { trace } = await coldStart(index, env, true);
    if (trace && round > 0) taken.push(stepsOf(trace));
  }
  return (taken[0] ?? []).map(({ step }, nth) => ({
    step,
    ms: rounded(median(taken.map((steps) => steps[nth]?.ms ?? Number.NaN))),
  }));
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
    return { rows, breakdown: await breakdownOf(indexOf("consumer"), stack.env, rounds), zips };
  } finally {
    await stack.close();
    rmSync(folder, { recursive: true });
  }
}

export const coldstart: Part<ColdStartResult> = {
  name: "coldstart",
  measure,
  tables: ({ rows, breakdown, zips }) => [
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
    { title: "What is deployed", heads: ["zip", "kB"], rows: zips.map((row) => Object.values(row)) },
  ],
};

if (import.meta.main) await runPart(coldstart);
