// Lambda's JSON log format: it wraps what goes through `console`, filters lines by their level, and names a level of its own.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const LOG = fileURLToPath(new URL("../../functions/log.ts", import.meta.url));
const METRICS = fileURLToPath(new URL("../../functions/metrics.ts", import.meta.url));

/** As Lambda's runtime does it in this format, before it loads a function. */
const SCRIPT = `
for (const name of ["log", "info", "warn", "error", "debug", "trace"])
  console[name] = (message) => process.stdout.write(JSON.stringify({ wrapped: message }) + "\\n");
const { createLog } = await import(${JSON.stringify(LOG)});
const { createMetrics } = await import(${JSON.stringify(METRICS)});
const log = createLog();
for (const level of ["debug", "info", "warn", "error"]) log[level]("a fact", { event_id: level });
const metrics = createMetrics("consumer");
metrics.count("EventsDone");
metrics.flush();
`;

interface Line {
  level?: string;
  timestamp?: string;
  event_id?: string;
  wrapped?: string;
  _aws?: object;
  EventsDone?: number;
}

async function linesAt(level: string, platform: Record<string, string>): Promise<Line[]> {
  const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "--eval", SCRIPT], {
    env: { PATH: process.env.PATH, POWERTOOLS_LOG_LEVEL: level, ...platform },
  });
  return stdout
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Line);
}

const AS_DEPLOYED = { AWS_LAMBDA_LOG_FORMAT: "JSON", AWS_LAMBDA_LOG_LEVEL: "TRACE" };
const LEVELS = ["DEBUG", "INFO", "WARN", "ERROR"];

describe("with Lambda's JSON log format", () => {
  for (const [at, level] of LEVELS.entries())
    it(`lines are as they are without it, and POWERTOOLS_LOG_LEVEL ${level} decides which there are`, async () => {
      const lines = await linesAt(level, AS_DEPLOYED);
      const facts = lines.filter(({ event_id }) => event_id !== undefined);
      assert.deepEqual(
        facts.map((line) => line.level),
        LEVELS.slice(at),
      );
      // By these Lambda knows the level of a line: without them it is INFO, and gets another timestamp.
      for (const { timestamp = "" } of facts) assert.match(timestamp, /^\d{4}-\d\d-\d\dT[\d:]{8}\.\d{3}Z$/);
      assert.deepEqual(
        lines.map((line) => line.wrapped),
        lines.map(() => undefined),
        "nothing goes through the console that Lambda wraps",
      );
      const [metrics, ...more] = lines.filter(({ _aws }) => _aws !== undefined);
      assert.deepEqual([metrics?.EventsDone, more], [1, []]);
      const members = (line: Line) => Object.keys(line).sort();
      const before = await linesAt(level, {});
      assert.deepEqual(lines.map(members), before.map(members));
    });
});
