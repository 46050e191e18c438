// npm run bench:releases: prints times of releases, without checking them. `npm run bench:reload` measures reloads.
import { randomUUID } from "node:crypto";
import { BatchGetItemCommand } from "@aws-sdk/client-dynamodb";
import { createConsumerStore } from "../lib/commit/store.ts";
import { checkRelease } from "../lib/releases/check.ts";
import { examine, readCandidate } from "../lib/releases/examine.ts";
import { MAX_BYTES, type SourceFile } from "../lib/releases/sources.ts";
import { loadAssets } from "../lib/runtime/assets.ts";
import { startRuntime } from "../lib/runtime/runtime.ts";
import { startStack } from "../local/stack.ts";
import { scriptFiles } from "./shared/script-files.ts";

const assets = loadAssets();
const ms = (value: number) => `${value.toFixed(1)} ms`;

async function timed<T>(work: () => Promise<T>): Promise<[number, T]> {
  const started = performance.now();
  const result = await work();
  return [performance.now() - started, result];
}

async function large(count: number): Promise<void> {
  const given = scriptFiles(count);
  const bytes = given.reduce((sum, { text }) => sum + text.length, 0);
  console.log(`${count} APIs with ${count} scripts, ${(bytes / 1024 / 1024).toFixed(1)} MB:`);
  const stack = await startStack({ port: 0, env: process.env, prefix: "bench-releases" });
  try {
    for (const file of given) await stack.releases.writeSource(file);
    const [release, report] = await timed(() => stack.release());
    console.log(
      `  one release on the local stack (list, read, check, write, flip): ${ms(release)}, ${report.result}`,
    );
    const [again, same] = await timed(() => stack.release());
    console.log(`  woken again, nothing changed: ${ms(again)}, ${same.result}`);
  } finally {
    await stack.close();
  }
  const [build, candidate] = await timed(async () => readCandidate(given));
  const [check, { errors }] = await timed(() => checkRelease(candidate, assets));
  console.log(`  of which building: ${ms(build)}, checking: ${ms(check)}, ${errors.length} errors`);
  const [load, runtime] = await timed(() => startRuntime(candidate.release.scripts, { assets }));
  await runtime.close();
  console.log(`  loading all of it: ${ms(load)}`);
}

const trigger = (name: string, path: string) => ({
  handler_name: "eh_dynamic_handler",
  handler_meta: { name, path },
});
const api = (id: string, refs: ReturnType<typeof trigger>[]): SourceFile => ({
  path: `apis/${id}.json`,
  text: JSON.stringify({ api_id: id, event_handlers: { events: { KeyExpired: refs } } }),
});
const made = (name: string) => `var ${name} = new TykJS.TykEventHandlers.NewEventHandler({});\n`;
const range = (count: number) => Array.from({ length: count }, (_, nth) => nth);

/** One script of nearly a megabyte, the maximum size. */
function ofMegabyte(line: (nth: number) => string, before = "", after = ""): SourceFile[] {
  const lines: string[] = [];
  for (let bytes = 1_000; bytes < MAX_BYTES.script; bytes += lines.at(-1)?.length || MAX_BYTES.script)
    lines.push(line(lines.length));
  const text = `${before}${lines.slice(0, -1).join("")}${after}\n${made("h")}`;
  return [api("a", [trigger("h", "h.js")]), { path: "handlers/h.js", text }];
}

const MANY = 10_000;

/** Scripts that could take long to check; each must be checked in less than five seconds. */
const HARD: Record<string, () => SourceFile[]> = {
  "10,000 handlers in 10,000 scripts": () =>
    range(MANY).flatMap((nth) => [
      api(`a${nth}`, [trigger(`h${nth}`, `${nth}.js`)]),
      { path: `handlers/${nth}.js`, text: made(`h${nth}`) },
    ]),
  "10,000 handlers in one script": () => [
    api(
      "a",
      range(MANY).map((nth) => trigger(`h${nth}`, "h.js")),
    ),
    {
      path: "handlers/h.js",
      text: range(MANY)
        .map((nth) => made(`h${nth}`))
        .join(""),
    },
  ],
  "10,000 handlers of one name": () =>
    range(MANY).flatMap((nth) => [
      api(`a${nth}`, [trigger("h", `${nth}.js`)]),
      { path: `handlers/${nth}.js`, text: made("h") },
    ]),
  "10,000 wrong names beside 10,000 right ones": () => [
    api(
      "a",
      range(MANY).map((nth) => trigger(`x${nth}`, "h.js")),
    ),
    {
      path: "handlers/h.js",
      text: range(MANY)
        .map((nth) => made(`h${nth}`))
        .join(""),
    },
  ],
  "10,000 wrong paths beside 10,000 scripts": () => [
    api(
      "a",
      range(MANY).map((nth) => trigger("h", `teams/payments/handlers/quota-exceeded-${nth}-v2.js`)),
    ),
    ...range(MANY).map((nth) => ({
      path: `handlers/team/payment/handler/quota-exceed-${nth}-v1.js`,
      text: "",
    })),
  ],
  "a megabyte of functions": () => ofMegabyte((nth) => `function f${nth}(a) { return a + ${nth}; }\n`),
  "a megabyte of statements": () => ofMegabyte(() => "a;", "var a;"),
  "a megabyte of texts": () => ofMegabyte((nth) => `"t${nth}",`, "var x = [", "];"),
  "a megabyte of regular expressions of Go's": () => ofMegabyte(() => "/[[:alpha:]]/;\n"),
  "a megabyte of comments that do not end": () => ofMegabyte(() => "/* "),
  "a megabyte of brackets": () => ofMegabyte(() => "["),
  "a megabyte of undeclared names": () =>
    ofMegabyte((nth) => `v${nth} = 1;`, "function f() { 'use strict';", "}"),
  "a megabyte of declarations": () => ofMegabyte((nth) => `let v${nth};\n`),
  "a loop that does not end": () => ofMegabyte(() => "", "for (;;);"),
  "a native that does not end": () => ofMegabyte(() => "", "new Array(1e9) + '';"),
};

async function hard(): Promise<void> {
  console.log("checks of what is hard to check, all of it:");
  for (const [what, make] of Object.entries(HARD)) {
    const given = make();
    const [check, { errors, warnings }] = await timed(async () =>
      examine(readCandidate(given), (candidate) => checkRelease(candidate, assets)),
    );
    console.log(
      `  ${what.padEnd(46)}${ms(check).padStart(10)}, ${errors.length} errors, ${warnings.length} warnings`,
    );
  }
}

/** Counts the calls to AWS for a batch of ten events before its handlers run. */
async function versionCheck(): Promise<void> {
  const calls: string[] = [];
  const dynamo = {
    async send(command: object) {
      calls.push(command instanceof BatchGetItemCommand ? "BatchGetItem" : command.constructor.name);
      return { Responses: {}, UnprocessedKeys: {} };
    },
  };
  const store = createConsumerStore({
    dynamo: dynamo as unknown as Parameters<typeof createConsumerStore>[0]["dynamo"],
    sessionsTable: "sessions",
    stateTable: "state",
    ledgerTtlSeconds: 60,
    now: Date.now,
    random: Math.random,
    newToken: randomUUID,
  });
  await store.read(
    Array.from({ length: 10 }, (_, nth) => ({ identity: `api#event-${nth}`, id: `event-${nth}` })),
    ["key"],
  );
  console.log(
    `calls before the handlers of a batch of ten events, the version check among them: ${calls.join(", ")}`,
  );
}

await large(1_000);
await versionCheck();
await hard();
