import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { marshall } from "@aws-sdk/util-dynamodb";
import { keyDigest, type StreamRecord } from "../lib/gateway-sync/changes.ts";
import type { Refusal } from "../lib/gateway-sync/dead-letters.ts";
import { type Answer, connectGateway, type Gateway } from "../lib/gateway-sync/gateway.ts";
import { creationName } from "../lib/gateway-sync/key-name.ts";
import { createGatewaySync } from "../lib/gateway-sync/sync.ts";
import { startGateway, tokenOf } from "./helpers/gateway.ts";
import { NO_METRICS } from "./helpers/metrics.ts";

const NOW = 1_787_396_400;
const OK: Answer = { status: 200, message: "" };

type Item = Record<string, unknown> | undefined;
let sequence = 0;

/** What the stream tells of an item that became another one. */
function record(key: string, before: Item, after: Item, rest: Partial<StreamRecord> = {}): StreamRecord {
  return {
    eventName: before ? (after ? "MODIFY" : "REMOVE") : "INSERT",
    dynamodb: {
      ApproximateCreationDateTime: NOW,
      Keys: marshall({ key }),
      SequenceNumber: String(++sequence),
      ...(before && { OldImage: marshall({ key, ...before }) }),
      ...(after && { NewImage: marshall({ key, ...after }) }),
    },
    ...rest,
  };
}
const made = (key: string, expires = 1) => record(key, undefined, { session: { expires, org_id: "o" } });

function setUp(answers: Record<string, Answer | Error> = {}, now = NOW) {
  const asked: string[] = [];
  const refusals: Refusal[] = [];
  const logged: string[] = [];
  let open = 0;
  const ask = async (text: string, key: string) => {
    asked.push(text);
    const answer = answers[key] ?? OK;
    if (answer instanceof Error) throw answer;
    return answer;
  };
  const gateway: Gateway = {
    put: (key, session) => ask(`put ${key} ${session}`, key),
    remove: (key, orgId) => ask(`delete ${key} ${orgId}`, key),
    close: async () => void open--,
  };
  const log = (message: string) => void logged.push(message);
  const sync = createGatewaySync({
    connect: () => {
      open++;
      return gateway;
    },
    sendRefusal: async (refusal) => void refusals.push(refusal),
    giveUpSeconds: 300,
    changeMs: 1_000,
    now: () => now * 1000,
    metrics: NO_METRICS,
    log: { info: log, warn: log, error: log },
  });
  const run = async (records: StreamRecord[], timeLeft = () => 60_000) => {
    const failed = await sync(records, timeLeft);
    assert.equal(open, 0, "the connection is closed");
    return failed;
  };
  return { run, asked, refusals, logged };
}
const numberOf = ({ dynamodb }: StreamRecord) => dynamodb?.SequenceNumber;

describe("a batch of the sessions table's stream", () => {
  it("sends the last of several changes of a key, at the place of the last", async () => {
    const { run, asked } = setUp();
    assert.equal(await run([made("a", 1), made("b", 2), made("a", 3)]), undefined);
    assert.deepEqual(asked, ['put b {"expires":2,"org_id":"o"}', 'put a {"expires":3,"org_id":"o"}']);
  });

  it("sends a session that is back to what it was: what was sent between is not known", async () => {
    const { run, asked } = setUp();
    const [first, second] = [{ session: { rate: 1 } }, { session: { rate: 2 } }];
    await run([record("a", first, second), record("a", second, first)]);
    assert.deepEqual(asked, ['put a {"rate":1}']);
  });

  it("sends nothing where the session is the same, in whatever order and form its members stand", async () => {
    const { run, asked } = setUp();
    const before = { session: { rate: 1, per: 2, quota_max: 0 }, version: 1 };
    await run([record("a", before, { session: { per: 2, rate: 1 }, version: 2, updated_at: 5 })]);
    assert.deepEqual(asked, []);
  });

  it("deletes what was removed, and leaves what expired to the gateway", async () => {
    const { run, asked } = setUp();
    const gone = { session: { org_id: "o" } };
    const expiry = { userIdentity: { type: "Service", principalId: "dynamodb.amazonaws.com" } };
    await run([record("a", gone, undefined), record("b", gone, undefined, expiry)]);
    assert.deepEqual(asked, ["delete a o"]);
  });

  it("stops at the first change without an answer, and says from where the stream goes on", async () => {
    const { run, asked } = setUp({ b: new Error("connection reset") });
    const records = [made("a"), made("b"), made("c")];
    assert.equal(await run(records), numberOf(records[1] as StreamRecord));
    assert.equal(asked.length, 2);
  });

  it("stops before the function's own time is over, but always tries one", async () => {
    const { run, asked } = setUp();
    const records = [made("a"), made("b")];
    assert.equal(await run(records, () => 999), numberOf(records[1] as StreamRecord));
    assert.equal(asked.length, 1);
  });

  it("repeats while it is about the secret, the address or the load, however old the change is", async () => {
    for (const status of [301, 401, 403, 405, 408, 429, 502, 503, 504]) {
      const { run, refusals } = setUp({ a: { status, message: "no" } }, NOW + 86_400);
      assert.notEqual(await run([made("a")]), undefined, String(status));
      assert.deepEqual(refusals, []);
    }
    for (const status of [404, 500]) {
      const { run } = setUp({ a: { status, message: "" } }, NOW + 86_400);
      assert.notEqual(await run([made("a")]), undefined, `${status} of somebody else`);
    }
  });

  it("takes the gateway's own 500 for a refusal once the change is old", async () => {
    const answers = { a: { status: 500, message: "Failed to create key" } };
    const young = setUp(answers, NOW + 299);
    assert.notEqual(await young.run([made("a")]), undefined);
    const old = setUp(answers, NOW + 300);
    assert.equal(await old.run([made("a")]), undefined);
    assert.equal(old.refusals[0]?.status, 500);
  });

  it("refuses an item whose session is none, and goes on", async () => {
    const { run, asked, refusals } = setUp();
    const records = [record("a", undefined, { session: { rate: "fast" } }), made("b")];
    assert.equal(await run(records), undefined);
    assert.equal(asked.length, 1);
    const [refusal] = refusals;
    assert.equal(refusal?.key_sha256, keyDigest("a"));
    assert.match(refusal?.message ?? "", /rate/);
    assert.ok(!refusal?.message.includes("fast"), "no content");
  });

  it("sends a number that is larger than a script counts exactly as the script had it", async () => {
    const { run, asked } = setUp();
    const change = record("a", undefined, { session: {} });
    const meta_data = { M: { big: { N: "12345678901234567000" } } };
    Object.assign(change.dynamodb?.NewImage ?? {}, { session: { M: { meta_data } } });
    assert.equal(await run([change]), undefined);
    assert.deepEqual(asked, ['put a {"meta_data":{"big":12345678901234567000}}']);
  });

  it("is not done with a refused change before the queue has it", async () => {
    const failing = createGatewaySync({
      connect: () => ({
        put: async () => ({ status: 400, message: "no" }),
        remove: async () => OK,
        close: async () => {},
      }),
      sendRefusal: async () => {
        throw new Error("no queue");
      },
      giveUpSeconds: 300,
      changeMs: 1_000,
      now: () => NOW * 1000,
      metrics: NO_METRICS,
      log: { info() {}, warn() {}, error() {} },
    });
    const change = made("a");
    assert.equal(await failing([change], () => 60_000), numberOf(change));
  });

  it("fails as a whole when the stream has no images, rather than delete everything", async () => {
    const { run, asked } = setUp();
    const bare = record("a", { session: {} }, { session: { rate: 1 } });
    delete bare.dynamodb?.NewImage;
    await assert.rejects(run([bare]), /NEW_AND_OLD_IMAGES/);
    assert.deepEqual(asked, []);
  });
});

describe("the gateway's API of keys", () => {
  it("gets keys as hashes where they are, and is not asked to make one from a hash", async (t) => {
    const server = await startGateway("secret-4711");
    t.after(server.close);
    const url = new URL(server.url);
    const gateway = connectGateway({ url, secret: server.secret, timeoutMs: 5_000, hashedKeys: true });
    assert.deepEqual(await gateway.put("abc", "{}", "o"), { status: 404, message: "Key is not found" });
    await gateway.remove("abc", "");
    await gateway.close();
    assert.deepEqual(
      server.requests.map(({ method, query }) => ({ method, ...query })),
      [
        { method: "PUT", suppress_reset: "1", hashed: "true" },
        { method: "DELETE", hashed: "true" },
      ],
    );
  });

  it("makes a token of the session's own organisation by the name in it, and any other key by its own", () => {
    assert.equal(creationName(tokenOf("o", "name"), "o"), "name");
    for (const key of [tokenOf("other", "name"), tokenOf("o", "a/b"), "plain", "", "bnVsbA==", "o123"]) {
      assert.equal(creationName(key, "o"), key);
    }
  });
});
