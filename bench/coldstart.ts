// npm run bench:coldstart: from the start of a process to its first event's end, of the packaged consumer, of a
// function that has the same SDK clients and does nothing, and of one that makes the consumer's calls and nothing
// else; in turns, so that what else the machine does falls on all.
import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { PutCommand } from "@aws-sdk/lib-dynamodb";
import { buildFunctions, buildZips, bundle } from "../deploy/build.ts";
import { sessionItem } from "../lib/sessions/item.ts";
import { readSourceFiles } from "../local/files.ts";
import { type Stack, startStack } from "../local/stack.ts";

const ROUNDS = 21;
const KEY = "cold";

/** Asks for one invocation, as Lambda's own runtime client does, and says what it answered. */
const RUNNER = `const { main } = await import(process.argv[2]);
const context = { getRemainingTimeInMillis: () => 30_000 };
process.stdout.write("\\n" + JSON.stringify(await main(JSON.parse(process.argv[3]), context)), () => process.exit(0));
`;

const median = (values: number[]) =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;

function batch() {
  const event = { Type: "KeyExpired", Meta: { Message: "", Path: "/", Origin: "", Key: KEY }, TimeStamp: "" };
  const body = JSON.stringify({ id: randomUUID(), api_id: "demo", event });
  const attributes = { ApproximateReceiveCount: "1" };
  return { Records: [{ messageId: randomUUID(), body, attributes, messageAttributes: {} }] };
}

async function coldStart(runner: string, index: string, env: Record<string, string>): Promise<number> {
  const started = performance.now();
  const child = spawn(process.execPath, [runner, index, JSON.stringify(batch())], {
    env,
    stdio: ["ignore", "pipe", "inherit"],
  });
  let out = "";
  let ms = 0;
  for await (const chunk of child.stdout) {
    out += chunk;
    ms = performance.now() - started; // at its last word: what the process's end takes is not counted
  }
  const answer = out.slice(out.lastIndexOf("\n") + 1);
  if (answer !== '{"batchItemFailures":[]}') throw new Error(`${index} did not finish its event: ${out}`);
  return ms;
}

/** As lib/runtime/assets.ts would be without a budget of its own. */
function withV8Budget(from: string, to: string): void {
  cpSync(from, to, { recursive: true });
  const chunks = readdirSync(to).filter((file) => file.endsWith(".mjs"));
  const [chunk = ""] = chunks.filter((file) => readFileSync(`${to}/${file}`, "utf8").includes("=8e8"));
  writeFileSync(`${to}/${chunk}`, readFileSync(`${to}/${chunk}`, "utf8").replace("=8e8", "=13e6"));
}

async function prepare(stack: Stack): Promise<void> {
  for (const file of await readSourceFiles(".")) await stack.releases.writeSource(file);
  await stack.release();
  const session = { expires: 1_000, org_id: "demo-org", access_rights: { demo: { api_id: "demo" } } };
  const Item = sessionItem(KEY, session, 1, 0);
  await stack.clients.dynamo.send(new PutCommand({ TableName: stack.resources.SESSIONS_TABLE, Item }));
}

const folder = mkdtempSync(`${tmpdir()}/gatehook-coldstart-`);
const stack = await startStack({ port: 0, env: process.env });
try {
  await prepare(stack);
  await buildFunctions(folder);
  await buildZips(`${folder}/zips`);
  await bundle("bench/coldstart/empty.ts", `${folder}/dist/empty`);
  await bundle("bench/coldstart/calls.ts", `${folder}/dist/calls`);
  await bundle("functions/consumer.ts", `${folder}/dist/one-step`);
  withV8Budget(`${folder}/dist/consumer`, `${folder}/dist/v8-budget`);
  writeFileSync(`${folder}/runner.mjs`, RUNNER);
  const variants = {
    "empty function": "empty",
    "the same calls alone": "calls",
    consumer: "consumer",
    "consumer, its thread started after the SDK": "one-step",
    "consumer, V8's own tiering budget": "v8-budget",
  };
  const taken = new Map(Object.values(variants).map((name) => [name, [] as number[]]));
  for (let round = 0; round <= ROUNDS; round += 1) {
    for (const [name, times] of taken) {
      const ms = await coldStart(`${folder}/runner.mjs`, `${folder}/dist/${name}/index.mjs`, stack.env);
      if (round > 0) times.push(ms); // the first reads the files from disk
    }
  }
  for (const zip of readdirSync(`${folder}/zips`))
    console.log(`${zip}: ${(statSync(`${folder}/zips/${zip}`).size / 1000).toFixed(0)} kB`);
  const [empty = 0, calls = 0] = ["empty", "calls"].map((name) => median(taken.get(name) ?? []));
  for (const [label, name] of Object.entries(variants)) {
    const ms = median(taken.get(name) ?? []);
    const ratios = `${(ms / empty).toFixed(2)} times the empty one, ${(ms / calls).toFixed(2)} times the calls`;
    console.log(`${label}: median ${ms.toFixed(0)} ms of ${ROUNDS}, ${ratios}`);
  }
} finally {
  await stack.close();
  rmSync(folder, { recursive: true });
}
