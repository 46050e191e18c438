// npm run bench [-- part … --json --quick --write --page]: runs all parts of the suite, or the named ones, each in its
// own process. --json: the results as one object in the last line. --write: writes bench/results.json,
// docs/performance.md and its charts, and the costs in docs/deploy.md. --page: writes the same documents from the
// stored results.
import { spawn } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { charts } from "./report/charts.ts";
import { withCost } from "./report/cost-page.ts";
import { page } from "./report/page.ts";
import { type Results, readStored, STORED, type Stored } from "./report/results.ts";
import { boundText, isMet, targets } from "./report/targets.ts";
import { textTable } from "./shared/table.ts";

const PARTS: (keyof Results)[] = [
  "pipeline",
  "profile",
  "codec",
  "runtime",
  "io",
  "coldstart",
  "reload",
  "memory",
  "contention",
  "cost",
  "scale",
];
const DOCS = new URL("../docs/", import.meta.url);

/** A part's tables are printed when it has ended; its last line is the result. */
async function run(part: string, quick: boolean): Promise<unknown> {
  const file = new URL(`./${part}.ts`, import.meta.url).pathname;
  const args = [file, "--json", ...(quick ? ["--quick"] : [])];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  let out = "";
  for await (const chunk of child.stdout.setEncoding("utf8")) out += chunk;
  const lines = out.trimEnd().split("\n");
  const last = lines.pop() ?? "";
  if (!last.startsWith("{")) throw new Error(`bench:${part} failed`);
  console.log(`# ${part}\n${lines.join("\n")}`);
  return JSON.parse(last);
}

function printTargets(results: Results): void {
  const rows = targets(results).map((target) => [
    target.what,
    target.measured,
    boundText(target),
    isMet(target) ? "met" : "NOT MET",
  ]);
  console.log(textTable(["target", "measured", "", ""], rows));
}

/** The stored results stay for parts that were not measured now. */
export function writeAll(stored: Stored): void {
  mkdirSync(new URL("images/", DOCS), { recursive: true });
  writeFileSync(STORED, `${JSON.stringify(stored, undefined, 2)}\n`);
  writeFileSync(new URL("performance.md", DOCS), page(stored));
  const deploy = new URL("deploy.md", DOCS);
  writeFileSync(deploy, withCost(readFileSync(deploy, "utf8"), stored.results.cost));
  for (const [name, text] of Object.entries(charts(stored.results)))
    writeFileSync(new URL(`images/${name}`, DOCS), text);
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    options: {
      json: { type: "boolean", default: false },
      quick: { type: "boolean", default: false },
      write: { type: "boolean", default: false },
      page: { type: "boolean", default: false },
    },
    allowPositionals: true,
  });
  if (values.page) return writeAll(readStored());
  const unknown = positionals.filter((name) => !PARTS.some((part) => part === name));
  if (unknown.length > 0) throw new Error(`there is no part ${unknown.join(", ")}: ${PARTS.join(", ")}`);
  const wanted = PARTS.filter((part) => positionals.length === 0 || positionals.includes(part));
  const started = performance.now();
  const measured: Partial<Record<keyof Results, unknown>> = {};
  for (const part of wanted) measured[part] = await run(part, values.quick);
  const isWhole = wanted.length === PARTS.length;
  const before = isWhole || !values.write ? undefined : readStored();
  const results = { ...before?.results, ...measured } as Results;
  const seconds = Math.round((performance.now() - started) / 1_000);
  const machine = {
    node: process.versions.node,
    cores: availableParallelism(),
    platform: `${process.platform} ${process.arch}`,
  };
  if (isWhole) printTargets(results);
  if (values.write) writeAll({ machine, seconds: before?.seconds ?? seconds, results });
  if (values.json) console.log(JSON.stringify({ machine, seconds, ...measured }));
}

if (import.meta.main) await main();
