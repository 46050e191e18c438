import assert from "node:assert/strict";
import { availableParallelism } from "node:os";
import { after, before, describe, test } from "node:test";
import { loadAssets } from "../../lib/runtime/assets.ts";
import { type Runtime, startRuntime } from "../../lib/runtime/runtime.ts";
import { asScript, endingsOf, type HostileScript, readCorpus } from "./corpus.ts";
import { assertNormal, assertTrusting, NORMAL, runAndSee, TRUSTING } from "./normal-event.ts";

const assets = loadAssets();
const corpus = readCorpus();
const LANES = Math.max(2, Math.min(8, availableParallelism()));

/** Where an end by time is not right, or where only the soft end is, there is time enough on any machine. */
const AMPLE_MS = 60_000;
const timesOf = ({ endings }: HostileScript) => ({
  timeoutMs: endings.includes("interrupted") || endings.includes("killed") ? 150 : AMPLE_MS,
  graceMs: endings.includes("killed") ? 100 : AMPLE_MS,
});

/** Runs the hostile handler and sees that its end is one of those declared. */
async function assertEnding(runtime: Runtime, script: HostileScript, handler: string): Promise<string[]> {
  const { outcome, lines } = await runAndSee(runtime, handler, timesOf(script).timeoutMs);
  const endings = endingsOf(outcome);
  assert.ok(
    endings.some((ending) => script.endings.includes(ending)),
    `ended ${JSON.stringify(outcome).slice(0, 500)}, not ${script.endings}`,
  );
  assert.deepEqual(
    lines.filter((line) => /ESCAPED|HOST PATH|nonzero [^0]/.test(line)),
    [],
  );
  return lines;
}

/** A load script's end is that of its evaluation, where that fails. */
async function assertLoadEnding(isolation: "global" | "event", script: HostileScript): Promise<void> {
  const { graceMs } = timesOf(script);
  const runtime = await startRuntime([NORMAL, asScript(script), TRUSTING], {
    assets,
    isolation,
    limits: { graceMs },
  });
  try {
    if (runtime.faults.length === 0) {
      const lines = await assertEnding(runtime, script, "hostileHandler");
      if (isolation === "event")
        assert.deepEqual(await assertEnding(runtime, script, "hostileHandler"), lines);
    } else {
      assert.deepEqual(
        runtime.faults.map(({ path }) => path),
        [asScript(script).path],
      );
      assert.ok(script.endings.includes("exception"), JSON.stringify(runtime.faults));
    }
    await assertNormal(runtime);
    if (isolation === "event") await assertTrusting(runtime);
  } finally {
    await runtime.close();
  }
}

describe("a hostile script under global isolation, alone in its runtime", { concurrency: LANES }, () => {
  for (const script of corpus) {
    test(script.name, () => assertLoadEnding("global", script));
  }
});

describe("a hostile file under event isolation", { concurrency: LANES }, () => {
  for (const script of corpus.filter(({ mode }) => mode === "load")) {
    test(script.name, () => assertLoadEnding("event", script));
  }
});

describe("a hostile handler under event isolation, in one release with all others", () => {
  const handlers = corpus.filter(({ mode }) => mode === "handler");
  const scripts = handlers.map((script, index) => asScript(script, `hostile${index}`));

  for (const [title, killable] of [
    ["the soft end is enough", false],
    ["the hard end may be needed", true],
  ] as const) {
    describe(title, { concurrency: LANES }, () => {
      /** One worker each, so that the normal event meets what the hostile one left. */
      const idle: Runtime[] = [];
      before(async () => {
        const limits = { graceMs: killable ? 100 : AMPLE_MS, loadTimeoutMs: AMPLE_MS };
        const starting = Array.from({ length: LANES }, () =>
          startRuntime([NORMAL, TRUSTING, ...scripts], { assets, isolation: "event", limits }),
        );
        idle.push(...(await Promise.all(starting)));
        for (const { faults } of idle) assert.deepEqual(faults, []);
      });
      after(() => Promise.all(idle.map((runtime) => runtime.close())));

      for (const [index, script] of handlers.entries()) {
        if (script.endings.includes("killed") !== killable) continue;
        test(script.name, async () => {
          const runtime = idle.pop();
          assert.ok(runtime);
          try {
            await assertEnding(runtime, script, `hostile${index}`);
            await assertNormal(runtime);
            await assertTrusting(runtime);
          } finally {
            idle.push(runtime);
          }
        });
      }
    });
  }
});
