import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { startFunction } from "../../local/lambda/lambda.ts";

const runtime = (file: string) => JSON.stringify(new URL(`../../lib/runtime/${file}`, import.meta.url).href);

const PROBE = `
import { loadAssets } from ${runtime("assets.ts")};
import { startRuntime } from ${runtime("runtime.ts")};
export const main = async () => {
  const logs = [];
  const source = "log(new Date(2026, 6, 1, 12).toISOString());";
  const log = (_, text) => logs.push(text);
  const started = await startRuntime([{ path: "dates.js", source }], { assets: loadAssets(), log });
  await started.close();
  return { logs, own: new Date(2026, 6, 1, 12).toISOString() };
};
`;

test("a local function has its dates, and those of its scripts, in UTC like Lambda", async (t) => {
  const taskRoot = await mkdtemp(join(tmpdir(), "gatehook-function-"));
  t.after(() => rm(taskRoot, { recursive: true }));
  await writeFile(join(taskRoot, "package.json"), '{"type":"module"}');
  await writeFile(join(taskRoot, "probe.ts"), PROBE);
  const env = { TZ: "America/New_York" };
  const onLine = (line: string) => t.diagnostic(line);
  const probe = await startFunction({
    name: "probe",
    handler: "probe.main",
    taskRoot,
    env,
    timeoutMs: 30_000,
    onLine,
  });
  t.after(probe.close);
  const noon = "2026-07-01T12:00:00.000Z";
  assert.deepEqual(await probe.invoke({}), { logs: [noon], own: noon });
});

test("what a local function writes is split into lines at its line ends, whatever else is in it", async (t) => {
  const taskRoot = await mkdtemp(join(tmpdir(), "gatehook-function-"));
  t.after(() => rm(taskRoot, { recursive: true }));
  await writeFile(join(taskRoot, "package.json"), '{"type":"module"}');
  const written = ["a\u2028b\u2029c\u0085d\re", "", "ü\u{1f600}".repeat(50_000), "no end"];
  const code = `export const main = () => new Promise((done) => process.stdout.write(${JSON.stringify(written.join("\n"))}, done));`;
  await writeFile(join(taskRoot, "writer.ts"), code);
  const lines: string[] = [];
  const ended = Promise.withResolvers<void>();
  const onLine = (line: string) => {
    if (lines.push(line) === written.length) ended.resolve();
  };
  const writer = await startFunction({
    name: "writer",
    handler: "writer.main",
    taskRoot,
    env: {},
    timeoutMs: 30_000,
    onLine,
  });
  await writer.invoke({});
  await writer.close();
  await ended.promise;
  assert.deepEqual(lines, written);
});
