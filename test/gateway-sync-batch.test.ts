import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { marshall } from "@aws-sdk/util-dynamodb";
import { keyDigest, type StreamRecord } from "../lib/gateway-sync/changes.ts";
import type { Refusal } from "../lib/gateway-sync/dead-letters.ts";
import { type Answer, connectGateway, type Gateway } from "../lib/gateway-sync/gateway.ts";
import { creationName } from "../lib/gateway-sync/key-name.ts";
import type { ParkedChanges } from "../lib/gateway-sync/parked.ts";
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

/** A place for parked changes that has none; what is put there is listed. */
function parking() {
  const keys: string[] = [];
  const never = () => assert.fail("nothing is parked here");
  const parked: ParkedChanges = {
    among: async () => new Set(),
    park: async ({ key }) => void keys.push(key),
    join: never,
    due: never,
    claim: never,
    forget: never,
    postpone: never,
  };
  return { keys, parked };
}

function setUp(answers: Record<string, Answer | Error> = {}, now = NOW) {
  const { keys: parkedKeys, parked } = parking();
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
    parked,
    sendRefusal: async (refusal) => void refusals.push(refusal),
    holdSeconds: 300,
    retrySeconds: 60,
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
  return { run, asked, refusals, parkedKeys, logged };
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

  it("sets aside what the gateway does not take while it takes others, and goes on", async () => {
    const failures: (Answer | Error)[] = [301, 401, 403, 405, 408, 429, 500, 502, 503, 504].map((status) => ({
      status,
      message: "",
    }));
    const own = { status: 500, message: "Failed to create key" };
    for (const failure of [...failures, { status: 404, message: "" }, own, new Error("connection reset")]) {
      for (const age of [0, 72_000]) {
        const { run, asked, refusals, parkedKeys } = setUp({ a: failure, c: failure }, NOW + age);
        assert.equal(await run([made("a"), made("b"), made("c"), made("d")]), undefined);
        assert.equal(asked.length, 4);
        assert.deepEqual([parkedKeys, refusals], [["a", "c"], []], JSON.stringify(failure));
      }
    }
  });

  it("sets aside too where the gateway takes no other, but says in its own form why not", async () => {
    const refused = { status: 400, message: "not this one" };
    const { run, parkedKeys } = setUp({ a: { status: 502, message: "" }, b: refused });
    assert.equal(await run([made("a"), made("b")]), undefined);
    assert.deepEqual(parkedKeys, ["a"]);
  });

  it("holds the stream from the first change while the gateway takes none, up to an age", async () => {
    const away = { a: new Error("connection refused"), b: { status: 502, message: "" } };
    const records = [made("a"), made("b")];
    const young = setUp(away, NOW + 299);
    assert.equal(await young.run(records), numberOf(records[0] as StreamRecord));
    assert.deepEqual(young.parkedKeys, []);
    const old = setUp(away, NOW + 300);
    assert.equal(await old.run(records), undefined);
    assert.deepEqual(old.parkedKeys, ["a", "b"]);
  });

  it("refuses nothing behind what holds the stream, since all of that comes again", async () => {
    const { run, refusals } = setUp({ a: new Error("connection refused") });
    const records = [made("a"), record("b", undefined, { session: { rate: "fast" } })];
    assert.equal(await run(records), numberOf(records[0] as StreamRecord));
    assert.deepEqual(refusals, []);
  });

  it("takes a proxy's refusal for no sign of the gateway", async () => {
    const { run, parkedKeys } = setUp({ a: new Error("reset"), b: { status: 414, message: "" } });
    const records = [made("a"), made("b")];
    assert.equal(await run(records), numberOf(records[0] as StreamRecord));
    assert.deepEqual(parkedKeys, []);
  });

  it("stops before the function's own time is over, but always tries one", async () => {
    const { run, asked } = setUp();
    const records = [made("a"), made("b")];
    assert.equal(await run(records, () => 999), numberOf(records[1] as StreamRecord));
    assert.equal(asked.length, 1);
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

  it("is not done with a change before the queue or the table has it", async () => {
    const nowhere = () => Promise.reject(new Error("no such place"));
    const { parked } = parking();
    const failing = (answer: Answer, places: Partial<ParkedChanges>) =>
      createGatewaySync({
        connect: () => ({
          put: async (key) => (key === "b" ? OK : answer),
          remove: async () => OK,
          close: async () => {},
        }),
        parked: { ...parked, ...places },
        sendRefusal: nowhere,
        holdSeconds: 300,
        retrySeconds: 60,
        changeMs: 1_000,
        now: () => NOW * 1000,
        metrics: NO_METRICS,
        log: { info() {}, warn() {}, error() {} },
      });
    const records = [made("b"), made("a"), made("c")];
    const at = (index: number) => numberOf(records[index] as StreamRecord);
    const run = (sync: ReturnType<typeof failing>) => sync(records, () => 60_000);
    assert.equal(await run(failing({ status: 400, message: "no" }, {})), at(1));
    assert.equal(await run(failing({ status: 502, message: "" }, { park: nowhere })), at(1));
    assert.equal(await run(failing(OK, { among: nowhere })), at(0));
    const waits = async () => new Set(["a"]);
    assert.equal(await run(failing(OK, { among: waits, join: nowhere })), at(1));
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
