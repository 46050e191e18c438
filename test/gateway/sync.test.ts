// The sync's side of a batch: each key goes by itself, and nothing is done before it is known that it comes again.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { toAttributes } from "../../lib/dynamo/attributes.ts";
import { AppError } from "../../lib/errors.ts";
import type { Gateway } from "../../lib/gateway/client.ts";
import type { Row } from "../../lib/gateway/row.ts";
import type { Settled } from "../../lib/gateway/settle.ts";
import { createSync, type StreamRecord } from "../../lib/gateway/sync.ts";
import { type GatewayState, sessionItem } from "../../lib/sessions/item.ts";
import { NO_METRICS } from "../helpers/metrics.ts";
import { NO_LOG } from "../helpers/no-log.ts";

const NOW = 1_795_000_000_000;
const pending: GatewayState = { created: "c", change: { base: { alias: "a" }, since: NOW - 5_000 } };
const watched: GatewayState = {
  created: "c",
  change: { base: { alias: "a" }, since: NOW, until: NOW + 1_000 },
};

function record(
  key: string,
  gateway: GatewayState | undefined,
  more: { again?: number; was?: number; version?: number } = {},
): StreamRecord {
  const { again, was, version = 1 } = more;
  const image = sessionItem(key, { alias: "b" }, version, 0, gateway);
  return {
    eventName: "MODIFY",
    dynamodb: {
      NewImage: toAttributes({ ...image, again }),
      OldImage: toAttributes({ ...image, again: was }),
    },
  };
}

function setUp(settle: (row: Row) => Promise<Settled>, failing: { later?: boolean } = {}) {
  const asked: string[] = [];
  const written: string[] = [];
  const again: { key: string; ms: number }[] = [];
  let closed = 0;
  const close = async () => {
    closed += 1;
  };
  const sync = createSync({
    connect: () => ({ close }) as unknown as Gateway,
    settle: async (row) => {
      asked.push(`${row.key} ${row.version}`);
      return settle(row);
    },
    rows: {
      write: async ({ key, version }) => {
        written.push(`${key} ${version}`);
        return true;
      },
      remove: async ({ key }) => {
        written.push(`${key} removed`);
        return true;
      },
    },
    later: async (keys) => {
      if (failing.later) throw new AppError("queue-failed", "away");
      again.push(...keys);
    },
    concurrency: 4,
    keyMs: 1_000,
    now: () => NOW,
    random: () => 1,
    log: NO_LOG,
    metrics: NO_METRICS,
  });
  return {
    asked,
    written,
    again,
    closed: () => closed,
    run: (records: StreamRecord[], left = 60_000) => sync(records, () => left),
  };
}

const done: Settled = { kind: "row", session: { alias: "b" }, gateway: { created: "c" } };

describe("a batch of the sessions table's stream", () => {
  it("goes on behind a key that cannot be settled, which comes again", async () => {
    for (const fail of [
      async () => Promise.reject(new AppError("dependency-failed", "the gateway answered 502")),
      async (): Promise<Settled> => ({ kind: "unknown" }),
    ]) {
      const { run, written, again, closed } = setUp(async ({ key }) => (key === "bad" ? fail() : done));
      await run([record("bad", pending), record("good1", pending), record("good2", pending)]);
      assert.deepEqual(written.sort(), ["good1 1", "good2 1"]);
      assert.deepEqual(again, [{ key: "bad", ms: 5_000 }], "as long as its change is old");
      assert.equal(closed(), 1);
    }
  });

  it("asks for the last row of a key alone, and for none that nothing is to be done about", async () => {
    const { run, asked } = setUp(async () => done);
    await run([
      record("twice", pending, { version: 1 }),
      record("twice", pending, { version: 2 }),
      record("settled", pending, { version: 1 }),
      record("settled", { created: "c" }, { version: 2 }),
      record("echo", watched),
      record("plain", undefined),
      { eventName: "REMOVE", dynamodb: {} },
    ]);
    assert.deepEqual(asked, ["twice 2"]);
  });

  it("asks for a watched change when its time has come, and for a row that is in doubt", async () => {
    const { run, asked } = setUp(async () => done);
    await run([
      record("due", watched, { again: 2, was: 1 }),
      record("not yet", watched, { again: 1, was: 1 }),
      record("doubted", { created: "c", look: NOW }),
    ]);
    assert.deepEqual(asked.sort(), ["doubted 1", "due 1"]);
  });

  it("writes no row before the queue has promised to bring the key again", async () => {
    const { run, written } = setUp(async () => ({ ...done, gateway: watched, later: 1_000 }) as Settled, {
      later: true,
    });
    await assert.rejects(run([record("k", pending)]), { code: "queue-failed" });
    assert.deepEqual(written, [], "the whole batch comes again");
  });

  it("starts nothing for which no time is left", async () => {
    const { run, asked, again } = setUp(async () => done);
    await run([record("k", pending)], 500);
    assert.deepEqual(asked, []);
    assert.deepEqual(
      again.map(({ key }) => key),
      ["k"],
    );
  });

  it("without images is a wrong setting, not nothing to do", async () => {
    const { run } = setUp(async () => done);
    await assert.rejects(run([{ eventName: "MODIFY", dynamodb: {} }]), { code: "setting-invalid" });
  });
});
