import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import type { Session } from "../lib/sessions/session.ts";
import { audit } from "./chaos/audit.ts";
import { type ChaosOptions, runChaos } from "./chaos/chaos.ts";
import { FAULT_KINDS } from "./chaos/faults.ts";
import { KILL_KINDS } from "./chaos/kills.ts";
import type { ChaosResult } from "./chaos/result.ts";
import { SABOTAGES, type Sabotage } from "./chaos/sabotage.ts";
import { createEvents, createMessages } from "./chaos/workload.ts";
import { createRandom } from "./helpers/random.ts";

const SCRIPT = fileURLToPath(new URL("../bench/chaos.ts", import.meta.url));

async function runScript(...args: string[]): Promise<{ code: number | null; stdout: string }> {
  const child = spawn(process.execPath, [SCRIPT, ...args], { stdio: ["ignore", "pipe", "inherit"] });
  let stdout = "";
  child.stdout.on("data", (chunk) => {
    stdout += chunk;
  });
  const code = await new Promise<number | null>((resolve) => child.once("close", resolve));
  return { code, stdout };
}

describe("chaos", () => {
  test("loses nothing and does nothing twice, whatever is killed and whatever DynamoDB does", async () => {
    const { code, stdout } = await runScript(
      ...["--json", "--events", "300", "--kills", "12", "--consumers", "3", "--fault-rate", "0.3"],
    );
    const result = JSON.parse(stdout) as ChaosResult;
    assert.deepEqual(result.troubles, []);
    assert.deepEqual(
      [result.lost, result.doubled, result.lost_updates, result.misplaced, result.unacknowledged],
      [0, 0, 0, 0, 0],
    );
    assert.equal(code, 0);
    // None of it is worth anything unless there was chaos.
    assert.deepEqual([result.events, result.kills], [300, 12]);
    for (const kind of KILL_KINDS) assert.ok(result.kills_by_kind[kind] > 0, `no process was killed ${kind}`);
    for (const reason of ["handler-threw", "event-invalid"])
      assert.ok((result.letters_by_reason[reason] ?? 0) > 0, `there was no dead letter for ${reason}`);
    for (const kind of FAULT_KINDS) assert.ok(result.faults_by_kind[kind] > 0, `no call was ${kind}`);
    for (const name of [
      "dlq",
      "conflicts",
      "workers_killed",
      "duplicates_delivered",
      "api_puts",
      "api_deletes",
    ] as const)
      assert.ok(result[name] > 0, `there were no ${name}`);
  });
});

describe("the chaos finds out a consumer with", { concurrency: 5 }, () => {
  const NOTICED: Record<Sabotage, "lost" | "doubled" | "lost_updates"> = {
    "no-conditions": "lost_updates",
    "no-memory": "doubled",
    "no-writes": "lost",
    "no-marks": "doubled",
    "marks-unproven": "doubled",
  };
  /** What marks are for happens only where consumers die between a session and its ledger entry. */
  const AT_HOME = { events: 60, kills: 15, kinds: ["Home", "Home", "Wander"] } as const;
  const OPTIONS: Partial<Record<Sabotage, Partial<ChaosOptions>>> = {
    "no-marks": AT_HOME,
    "marks-unproven": AT_HOME,
  };
  for (const sabotage of SABOTAGES)
    test(sabotage, async () => {
      const result = await runChaos({
        sabotage,
        events: 60,
        kills: 2,
        ...OPTIONS[sabotage],
        seed: 1,
        consumers: 2,
        faultRate: 0.1,
        patienceMs: 60_000,
        env: process.env,
      });
      assert.ok(result[NOTICED[sabotage]] > 0, `${sabotage} is not noticed: ${JSON.stringify(result)}`);
      assert.ok(result.troubles.length > 0);
    });
});

describe("a chaos", () => {
  test("draws the same events and duplicates from the same seed", () => {
    const draw = (seed: number) => {
      const random = createRandom(seed);
      return createMessages(createEvents(200, 3, random), random);
    };
    assert.deepEqual(draw(7), draw(7));
    assert.notDeepEqual(draw(7), draw(8));
    assert.ok(draw(7).length > 200);
  });

  for (const args of [["--events", "many"], ["--kills", "-1"], ["--fault-rate", "2"], ["--quick"], ["now"]]) {
    test(`called with ${args.join(" ")} ends with exit code 2 and prints no result`, async () => {
      assert.deepEqual(await runScript("--json", ...args), { code: 2, stdout: "" });
    });
  }
});

describe("the accounts of a chaos", () => {
  const event = (id: string, ...deadLetter: string[]) => ({
    id,
    key: "shared",
    body: id,
    effects: [{ handler: "counter", sessions: ["shared"] }],
    ...(deadLetter.length > 0 && { deadLetter }),
  });
  const check = (
    sessions: Record<string, string[]>,
    reasons: Record<string, string> = {},
    given = [event("a")],
  ) =>
    audit(
      given,
      new Map(Object.entries(sessions).map(([key, tags]) => [key, { tags } as Session])),
      new Map(Object.entries(reasons).map(([id, reason]) => [id, [reason]])),
    );
  const fine = { lost: [], doubled: [], lostUpdates: [], misplaced: [], misordered: [] };
  const done = { shared: ["a/counter"], "mark-a": ["a/counter"] };

  test("are right when each effect is there once, and each poison in the dead letters", () => {
    assert.deepEqual(check(done), fine);
    assert.deepEqual(check(done, { a: "handler-threw" }, [event("a", "handler-threw")]), fine);
  });

  test("miss an event without effect and dead letter", () => {
    assert.deepEqual(check({}), { ...fine, lost: ["a"] });
    assert.deepEqual(check(done, {}, [event("a", "handler-threw")]), { ...fine, lost: ["a"] });
  });

  test("see an effect twice, and one that must not be", () => {
    const twice = { ...done, shared: ["a/counter", "a/counter"] };
    assert.deepEqual(check(twice), { ...fine, doubled: ["a"] });
    assert.deepEqual(check({ ...done, other: ["a/poison"] }), { ...fine, doubled: ["a"] });
  });

  test("see a session that somebody wrote over", () => {
    assert.deepEqual(check({ ...done, shared: [] }), { ...fine, lostUpdates: ["a"] });
    assert.deepEqual(check({ shared: ["a/counter"] }), { ...fine, lostUpdates: ["a"] });
  });

  test("see the order of each key's effects, where there is one", () => {
    const given = [event("a"), event("b")];
    const sessions = (...tags: string[]) =>
      new Map(
        Object.entries({ shared: tags, "mark-a": ["a/counter"], "mark-b": ["b/counter"] }).map(
          ([key, tags]) => [key, { tags } as Session] as const,
        ),
      );
    const turned = sessions("b/counter", "a/counter");
    assert.deepEqual(audit(given, turned, new Map(), true), { ...fine, misordered: ["a"] });
    assert.deepEqual(audit(given, turned, new Map()), fine);
    assert.deepEqual(audit(given, sessions("a/counter", "b/counter"), new Map(), true), fine);
  });

  test("see a dead letter of an event that could succeed, and one with another reason", () => {
    assert.deepEqual(check({}, { a: "handler-timeout" }), { ...fine, misplaced: ["a"] });
    const poison = [event("a", "handler-threw")];
    assert.deepEqual(check(done, { a: "given up" }, poison), { ...fine, misplaced: ["a"] });
    assert.deepEqual(check({}, { a: "handler-threw" }, poison), { ...fine, misplaced: ["a"] });
  });
});
