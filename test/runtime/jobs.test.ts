// Runs that cross to the sandbox's thread in one message: what is answered there, what is told when, what a kill costs.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { loadAssets } from "../../lib/runtime/assets.ts";
import type { Host } from "../../lib/runtime/host.ts";
import type { Job, JobEnd } from "../../lib/runtime/jobs.ts";
import type { Isolation, Limits, Run, Script } from "../../lib/runtime/protocol.ts";
import { type Runtime, startRuntime } from "../../lib/runtime/runtime.ts";

const assets = loadAssets();
const AMPLE_MS = 60_000;
const MODES: readonly Isolation[] = ["global", "event"];

/** Each runs the code that its event's Meta.Do has. */
const SCRIPTS: Script[] = [
  {
    path: "h.js",
    source: `var h = new TykJS.TykEventHandlers.NewEventHandler({});
h.NewHandler(function (event) { (0, eval)(event.Meta.Do); });`,
  },
];
const NATIVE = "[].indexOf.call({ length: 9007199254740991 }, 1);";
const SESSION = '{"rate":1}';

/** What the main thread saw, in order. */
interface Seen {
  facts: string[];
  ends: (JobEnd | undefined)[];
}

interface Given {
  code: string;
  sessions?: Run["sessions"];
  timeoutMs?: number;
  call?: Host["call"];
  isWanted?: Job["isWanted"];
  startsWithin?: Job["startsWithin"];
  ended?: (waitedMs: number) => Promise<void>;
}

async function withRuntime(
  isolation: Isolation,
  limits: Partial<Limits>,
  work: (runtime: Runtime) => Promise<void>,
): Promise<void> {
  const runtime = await startRuntime(SCRIPTS, { assets, isolation, limits });
  try {
    await work(runtime);
  } finally {
    await runtime.close();
  }
}

function jobsOf(given: Given[]): { jobs: Job[]; seen: Seen } {
  const seen: Seen = { facts: [], ends: given.map(() => undefined) };
  const jobs = given.map((one, nth): Job => {
    const tell = (what: string) => void seen.facts.push(`${nth} ${what}`);
    return {
      run: {
        handler: "h",
        event: JSON.stringify({ Type: "T", Meta: { Key: "k", Do: one.code } }),
        context: "{}",
        timeoutMs: one.timeoutMs ?? AMPLE_MS,
        ...(one.sessions && { sessions: one.sessions }),
      },
      host: {
        log: (_level, line) => {
          if (!line.startsWith("Calling")) tell(`log ${line}`);
        },
        gave: (key) => tell(`gave ${key}`),
        async call(name, args, scope) {
          tell(`${name} ${args[0]?.slice(0, 20)}`);
          return one.call ? one.call(name, args, scope) : SESSION;
        },
      },
      ...(one.isWanted && { isWanted: one.isWanted }),
      ...(one.startsWithin && { startsWithin: one.startsWithin }),
      async ended(end, waitedMs) {
        await one.ended?.(waitedMs);
        seen.ends[nth] = end;
        tell(typeof end === "string" ? end : end.ok ? "ok" : end.code);
      },
    };
  });
  return { jobs, seen };
}

/** Has them done as one message, each a sequence of its own. */
async function runTogether(runtime: Runtime, given: Given[]): Promise<Seen> {
  const { jobs, seen } = jobsOf(given);
  await Promise.all(jobs.map((job) => runtime.runInOrder([job])));
  return seen;
}

const log = (text: string) => `log(${JSON.stringify(text)});`;
const GET = "log(JSON.parse(TykGetKeyData('k', 'a')).rate);";
const SET = "TykSetKeyData('k', '{\"rate\":2}', '1');";

for (const isolation of MODES) {
  describe(`runs of one message, under ${isolation} isolation`, () => {
    test("keep their order, and each is told whole", async () => {
      await withRuntime(isolation, {}, async (runtime) => {
        const { facts } = await runTogether(
          runtime,
          [0, 1, 2].map((nth) => ({ code: log(`a${nth}`) + log(`b${nth}`) })),
        );
        assert.deepEqual(
          facts,
          [0, 1, 2].flatMap((nth) => [`${nth} log a${nth}`, `${nth} log b${nth}`, `${nth} ok`]),
        );
      });
    });

    test("read the sessions that came with them without a call, until one is set", async () => {
      await withRuntime(isolation, {}, async (runtime) => {
        const sessions: Run["sessions"] = [["k", '{"rate":7}']];
        const { facts } = await runTogether(runtime, [
          { code: GET + SET + GET, sessions },
          { code: GET, sessions },
          { code: GET, sessions: [["other", "{}"]] },
        ]);
        assert.deepEqual(facts, [
          ...["0 gave k", "0 log 7", "0 setKeyData k", "0 getKeyData k", "0 log 1", "0 ok"],
          ...["1 getKeyData k", "1 log 1", "1 ok"],
          ...["2 getKeyData k", "2 log 1", "2 ok"],
        ]);
      });
    });

    test("read nothing that came with them once any session was set by another of its names", async () => {
      await withRuntime(isolation, {}, async (runtime) => {
        const sessions: Run["sessions"] = [["orgk", '{"rate":7}']];
        // "k" may be the session "orgk": only the main thread knows.
        const { facts } = await runTogether(runtime, [
          { code: `${GET}${SET}TykGetKeyData('orgk', 'a');`, sessions },
          { code: "TykDelKeyData('k', 'a'); TykGetKeyData('orgk', 'a');", sessions },
        ]);
        assert.deepEqual(
          facts.filter((fact) => fact.includes("orgk")),
          ["0 getKeyData orgk", "1 getKeyData orgk"],
        );
      });
    });

    test("tell what they did before a call before it, and in order", async () => {
      await withRuntime(isolation, {}, async (runtime) => {
        const code = `${log("one")}${SET}${log("two")}TykMakeHttpRequest('x');${log("three")}`;
        const { facts } = await runTogether(runtime, [{ code }]);
        assert.deepEqual(facts, [
          "0 log one",
          "0 setKeyData k",
          "0 log two",
          "0 makeHttpRequest x",
          "0 log three",
          "0 ok",
        ]);
      });
    });

    test("have their calls answered when those before them are taken in, and are told how long that took", async () => {
      await withRuntime(isolation, {}, async (runtime) => {
        const waits: number[] = [];
        const { facts } = await runTogether(runtime, [
          { code: log("first"), ended: () => delay(50) },
          {
            code: "TykMakeHttpRequest('x');",
            ended: async (waitedMs) => {
              waits.push(waitedMs);
            },
          },
        ]);
        assert.deepEqual(facts, ["0 log first", "0 ok", "1 makeHttpRequest x", "1 ok"]);
        assert.ok((waits[0] ?? 0) > 30, `${waits}`);
      });
    });

    test("are killed one by one: what others did is done once, and their calls are not made again", async () => {
      await withRuntime(isolation, { graceMs: 50 }, async (runtime) => {
        const { facts } = await runTogether(runtime, [
          { code: `TykMakeHttpRequest('once');${log("asked")}` },
          { code: log("quick") },
          { code: `${log("last words")}${NATIVE}`, timeoutMs: 50 },
          { code: "TykMakeHttpRequest('later');" },
        ]);
        assert.deepEqual(facts.toSorted(), [
          ...["0 log asked", "0 makeHttpRequest once", "0 ok"],
          ...["1 log quick", "1 ok"],
          ...["2 killed", "2 log last words"],
          ...["3 makeHttpRequest later", "3 ok"],
        ]);
        assert.equal(runtime.counters.kills, 1);
      });
    });

    test("are killed in time, whichever of them hangs", async () => {
      await withRuntime(isolation, { graceMs: 50 }, async (runtime) => {
        const started = performance.now();
        const { facts } = await runTogether(
          runtime,
          [1, 2, 3].map(() => ({ code: NATIVE, timeoutMs: 50 })),
        );
        assert.deepEqual(facts, ["0 killed", "1 killed", "2 killed"]);
        // Three kills and three new threads; without the watch on the run under way, it would be the load's time.
        assert.ok(performance.now() - started < 15_000);
        assert.equal(runtime.counters.kills, 3);
      });
    });

    test("keep the last words of a killed run also where they are many", async () => {
      await withRuntime(isolation, { graceMs: 100, logLineChars: 10_000 }, async (runtime) => {
        const code = `for (var i = 0; i < 90; i += 1) log(i + "é".repeat(5000)); ${NATIVE}`;
        const { facts } = await runTogether(runtime, [{ code, timeoutMs: 500 }]);
        const numbers = facts.slice(0, -1).map((fact) => Number.parseInt(fact.slice("0 log ".length), 10));
        assert.deepEqual(
          numbers,
          Array.from({ length: 90 }, (_, nth) => nth),
        );
        assert.equal(facts.at(-1), "0 killed");
      });
    });

    test("are not started when it is too late, or when they are not wanted", async () => {
      await withRuntime(isolation, {}, async (runtime) => {
        const busy = "var end = Date.now() + 100; while (Date.now() < end);";
        const { facts } = await runTogether(runtime, [
          { code: busy, startsWithin: () => AMPLE_MS },
          { code: log("too late"), startsWithin: () => 50 },
          { code: log("not wanted"), isWanted: () => false },
          { code: log("in time"), startsWithin: () => AMPLE_MS },
          { code: log("no time at all"), startsWithin: () => -1 },
        ]);
        assert.deepEqual(facts.toSorted(), [
          ...["0 ok", "1 unstarted", "2 unstarted", "3 log in time", "3 ok", "4 unstarted"],
        ]);
      });
    });

    test("end at their next call when they are not wanted any more", async () => {
      await withRuntime(isolation, {}, async (runtime) => {
        let wanted = true;
        const { facts } = await runTogether(runtime, [
          {
            code: `TykMakeHttpRequest('x'); TykMakeHttpRequest('y'); ${log("never")}`,
            isWanted: () => wanted,
            async call() {
              wanted = false;
              return "";
            },
          },
          { code: log("goes on") },
        ]);
        assert.deepEqual(facts, ["0 makeHttpRequest x", "0 unstarted", "1 log goes on", "1 ok"]);
      });
    });

    test("wait for the main thread where they set more than it should have to keep", async () => {
      await withRuntime(isolation, {}, async (runtime) => {
        const code = `var big = JSON.stringify({ alias: "x".repeat(100000) });
          for (var i = 0; i < 4; i += 1) TykSetKeyData("k" + i, big, "1");`;
        let under = 0;
        let most = 0;
        const { facts } = await runTogether(runtime, [
          {
            code,
            async call() {
              under += 1;
              most = Math.max(most, under);
              await delay(1);
              under -= 1;
              return undefined;
            },
          },
        ]);
        assert.deepEqual(facts, [0, 1, 2, 3].map((nth) => `0 setKeyData k${nth}`).concat("0 ok"));
        assert.equal(most, 1, "taken in one by one");
      });
    });

    test("are all answered when the runtime is closed under them", async () => {
      await withRuntime(isolation, {}, async (runtime) => {
        const called = Promise.withResolvers<void>();
        const { jobs, seen } = jobsOf([
          {
            code: "TykMakeHttpRequest('x');",
            call: () => {
              called.resolve();
              return new Promise(() => {});
            },
          },
          { code: log("second") },
          { code: log("third") },
        ]);
        const running = Promise.all(jobs.map((job) => runtime.runInOrder([job])));
        await called.promise;
        await runtime.close();
        await running;
        assert.deepEqual(seen.facts.slice(1), ["0 killed", "1 killed", "2 killed"]);
      });
    });
  });
}

test("jobs of one sequence are done in order, and together with those of others", async () => {
  await withRuntime("event", {}, async (runtime) => {
    const { jobs, seen } = jobsOf([1, 2, 3, 4].map((nth) => ({ code: log(String(nth)) })));
    await Promise.all([runtime.runInOrder(jobs.slice(0, 2)), runtime.runInOrder(jobs.slice(2))]);
    assert.deepEqual(
      seen.facts.filter((fact) => fact.includes("log")),
      ["0 log 1", "1 log 2", "2 log 3", "3 log 4"],
    );
  });
});

test("a host that breaks its promise rejects those who wait, and its thread is replaced", async () => {
  await withRuntime("global", {}, async (runtime) => {
    const call: Host["call"] = () => Promise.reject(new Error("the host broke"));
    const failing = jobsOf([{ code: "TykMakeHttpRequest('x');", call }]);
    await assert.rejects(runtime.runInOrder(failing.jobs), /the host broke/);
    const { facts } = await runTogether(runtime, [{ code: log("next") }]);
    assert.deepEqual(facts, ["0 log next", "0 ok"]);
  });
});
