import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { before, beforeEach, describe, it } from "node:test";
import { CreateTableCommand, type DynamoDBClient, PutItemCommand } from "@aws-sdk/client-dynamodb";
import { toAttributes } from "../../lib/dynamo/attributes.ts";
import { AppError } from "../../lib/errors.ts";
import { createAbsenceLimit } from "../../lib/gateway/absence-limit.ts";
import { createCanary } from "../../lib/gateway/canary.ts";
import { createGateway as createApi } from "../../lib/gateway/client.ts";
import { createReconcile, emptyTally } from "../../lib/gateway/reconcile.ts";
import { createReconcilePlace } from "../../lib/gateway/reconcile-place.ts";
import { asTheirs } from "../../lib/gateway/row.ts";
import { createRows } from "../../lib/gateway/rows.ts";
import { createDoubtMissing } from "../../lib/gateway/when-missing.ts";
import { type GatewayState, sessionItem } from "../../lib/sessions/item.ts";
import type { Session } from "../../lib/sessions/session.ts";
import { NO_LOG } from "../helpers/no-log.ts";
import { NO_MARKS } from "../helpers/no-marks.ts";
import { useServices } from "../helpers/services.ts";
import { plainConfig } from "./config.ts";
import { always } from "./faults.ts";
import { createGateway, type Gateway } from "./model.ts";

const ORG = "5e9d9544a1dcd60001d0ed20";
const SECRET = "a-secret-of-tests";
const CANARY = createCanary("canary-of-test");
const NOW = 1_795_000_000_000;
const DAY_MS = 86_400_000;

describe("the comparison of both sides", () => {
  const services = useServices();
  let dynamo: DynamoDBClient;
  let table = "";
  let stateTable = "";
  let model: Gateway;

  before(async () => {
    dynamo = services.clients.dynamoClient;
  });
  beforeEach(async () => {
    const prefix = randomUUID().slice(0, 8);
    table = `${prefix}-sessions`;
    stateTable = `${prefix}-state`;
    await Promise.all([makeTable(table, "key"), makeTable(stateTable, "pk")]);
    model = createGateway({
      now: () => NOW,
      config: plainConfig(ORG),
    });
  });

  const makeTable = (TableName: string, AttributeName: string) =>
    dynamo.send(
      new CreateTableCommand({
        TableName,
        BillingMode: "PAY_PER_REQUEST",
        AttributeDefinitions: [{ AttributeName, AttributeType: "S" }],
        KeySchema: [{ AttributeName, KeyType: "HASH" }],
      }),
    );
  const keyOf = (letter: string) => `${ORG}${letter.repeat(32)}`;
  function admin(method: string, key: string, session?: object): Record<string, unknown> {
    const { status, body } = model.request({
      method,
      path: `/tyk/keys/${key}${method === "PUT" ? "?suppress_reset=1" : ""}`,
      headers: { "X-Tyk-Authorization": SECRET },
      ...(session && { body: JSON.stringify(session) }),
    });
    assert.equal(status, 200, body);
    return JSON.parse(body);
  }
  function create(key: string): Record<string, unknown> {
    admin("POST", key, {
      org_id: ORG,
      rate: 100,
      per: 60,
      quota_max: 1_000,
      quota_renewal_rate: 3_600,
      access_rights: { api1: { api_id: "api1", versions: ["Default"] } },
    });
    return admin("GET", key);
  }
  const api = () =>
    createApi(
      async ({ method, path, body }) => {
        const headers = { "X-Tyk-Authorization": SECRET };
        const answer = model.request({ method, path: `/tyk/keys${path}`, headers, ...(body && { body }) });
        if (answer.status === 0) throw new AppError("dependency-failed", "no answer");
        return { status: answer.status, text: answer.body };
      },
      { secret: SECRET, hashed: false },
    );
  const put = (key: string, session: Session | undefined, gateway?: GatewayState) =>
    dynamo.send(
      new PutItemCommand({
        TableName: table,
        Item: toAttributes(sessionItem(key, session, 7, NOW / 1000, gateway)),
      }),
    );
  /** A row as the gateway has the key now. */
  async function copy(key: string, state: Partial<GatewayState> = {}) {
    const { session, gateway } = asTheirs({ session: admin("GET", key) });
    await put(key, session, { ...gateway, ...state });
    return session;
  }
  function setUp(options: { perHour?: number; stopAfter?: number } = {}) {
    const rows = createRows({ dynamo, table, proveMarks: NO_MARKS, now: () => NOW });
    const gateway = api();
    const { perHour = 100, stopAfter = Number.POSITIVE_INFINITY } = options;
    const limit = createAbsenceLimit({ dynamo, stateTable, perHour, now: () => NOW });
    let asked = 0;
    const tally = emptyTally();
    const compare = createReconcile({
      gateway,
      rows,
      isAsked: (key) => !CANARY.isNamed(key),
      whenMissing: createDoubtMissing({ gateway, canary: CANARY, ...limit, rows }),
      withPending: false,
      pace: async (count) => {
        asked += count;
        return asked <= stopAfter;
      },
      concurrency: 1,
      now: () => NOW,
      log: NO_LOG,
    });
    const lookOf = async (key: string) => (await rows.copy(key))?.gateway?.look;
    return { rows, limit, tally, compare: (from?: string) => compare(from, tally), lookOf };
  }
  const lookups = () => model.requests.filter(({ method }) => method === "GET").map(({ path }) => path);

  it("has a row looked at that differs from the gateway, and leaves those alone that agree", async () => {
    const { compare, tally, lookOf } = setUp();
    const [same, edited] = [keyOf("a"), keyOf("b")];
    for (const key of [same, edited]) {
      create(key);
      await copy(key);
    }
    admin("PUT", edited, { ...admin("GET", edited), is_inactive: true });
    assert.deepEqual(await compare(), { end: "through", after: undefined });
    assert.deepEqual(tally, { compared: 2, differing: 1, held: 0, settled: 0, passed: 0, failed: 0 });
    assert.equal(await lookOf(edited), NOW);
    assert.equal(await lookOf(same), undefined);
  });

  it("knows what a row must show: tombstones, other keys of the same name, rows older than the gateway", async () => {
    const { compare, tally, lookOf } = setUp();
    await CANARY.make(api());
    const cases = "abcdef".split("").map(keyOf) as [string, string, string, string, string, string];
    const [risen, buried, deleted, other, legacy, blank] = cases;
    for (const key of [risen, other, legacy, blank]) create(key);
    await put(risen, undefined, { created: "2026-01-01T00:00:00Z", gone: true });
    await put(buried, undefined, { created: "2026-01-01T00:00:00Z", gone: true });
    await put(deleted, { org_id: ORG }, { created: "2026-01-01T00:00:00Z" });
    await copy(other, { created: "2026-01-01T00:00:00Z" });
    await put(legacy, (await copy(legacy)) as Session);
    await put(blank, { org_id: 5 } as never, { created: String(admin("GET", blank).date_created) });
    await compare();
    assert.equal(tally.differing, 5);
    assert.deepEqual(await Promise.all(cases.map(lookOf)), [NOW, undefined, NOW, NOW, NOW, NOW]);
  });

  it("takes what a row cannot keep, and what the gateway counts, for no difference", async () => {
    const { compare, tally } = setUp();
    const key = keyOf("a");
    const session = create(key);
    await copy(key);
    model.use(key);
    await compare();
    assert.equal(tally.differing, 0);
    const newer = { ...session, brand_new: { a: 1 }, smoothing: { enabled: false, threshold: 5 } };
    const { session: kept, gateway } = asTheirs({ session: newer });
    const rows = createRows({ dynamo, table, proveMarks: NO_MARKS, now: () => NOW });
    const reconcile = createReconcile({
      gateway: { get: async () => ({ text: "", session: newer }) },
      rows,
      isAsked: () => true,
      whenMissing: async () => "held",
      withPending: false,
      pace: async () => true,
      concurrency: 1,
      now: () => NOW,
      log: NO_LOG,
    });
    await put(key, kept, gateway);
    await reconcile(undefined, tally);
    assert.deepEqual([tally.compared, tally.differing], [2, 0]);
  });

  it("does not ask for a key with a change on its way, in doubt already, never to be asked for, or that has ended", async () => {
    const { compare, tally } = setUp();
    await put(keyOf("a"), undefined, { created: "x", change: { base: {}, since: NOW - DAY_MS / 2 } });
    await put(keyOf("b"), undefined, { created: "x", look: NOW - 1 });
    await put(CANARY.name, undefined, { created: "x" });
    const ended = toAttributes({
      ...sessionItem(keyOf("c"), {}, 7, 0, { created: "x" }),
      ttl: NOW / 1000 - 1,
    });
    await dynamo.send(new PutItemCommand({ TableName: table, Item: ended }));
    await compare();
    assert.deepEqual(tally, { ...emptyTally(), passed: 3 });
    assert.deepEqual(lookups(), []);
  });

  it("has a row looked at whose change or doubt is so old that the stream may have lost it", async () => {
    const { compare, lookOf } = setUp();
    const [changed, doubted] = [keyOf("a"), keyOf("b")];
    for (const key of [changed, doubted]) create(key);
    await copy(changed, { change: { base: {}, since: NOW - DAY_MS } });
    await copy(doubted, { look: NOW - DAY_MS });
    await compare();
    assert.deepEqual([await lookOf(changed), await lookOf(doubted)], [NOW, NOW]);
  });

  it("takes a row for no difference that somebody wrote while the gateway was asked", async () => {
    const { rows, tally } = setUp();
    const key = keyOf("a");
    create(key);
    await put(key, {}, { created: "other" });
    const read = await rows.page(undefined, 10);
    await put(key, {}, { created: "other", change: { base: {}, since: NOW } });
    const [old] = read.copies.map((one) => ({ ...one, version: one.version - 1 }));
    const reconcile = createReconcile({
      gateway: { get: async () => ({ text: "", session: admin("GET", key) }) },
      rows: { ...rows, page: async () => ({ copies: old ? [old] : [], next: undefined }) },
      isAsked: () => true,
      whenMissing: async () => "held",
      withPending: false,
      pace: async () => true,
      concurrency: 1,
      now: () => NOW,
      log: NO_LOG,
    });
    await reconcile(undefined, tally);
    assert.deepEqual([tally.compared, tally.differing], [1, 0]);
    assert.equal((await rows.copy(key))?.gateway?.look, undefined);
  });

  it("goes on after a key that failed, and ends when nothing answers, at a place from which all is asked again", async () => {
    const { compare, tally } = setUp();
    const keys = "abcdefgh".split("").map(keyOf);
    for (const key of keys) {
      create(key);
      await copy(key);
    }
    const third = model.requests.length + 2;
    model.disturb(() => (model.requests.length === third ? [{ kind: "unreachable" }] : []));
    assert.equal((await compare()).end, "through");
    assert.deepEqual([tally.compared, tally.failed], [7, 1]);
    model.disturb(always({ kind: "unreachable" }));
    assert.deepEqual(await compare(keys[1]), { end: "away", after: keys[1] });
    assert.equal(tally.failed, 1 + 5);
  });

  it("believes no gateway that does not show its canary any more, and doubts no row for it", async () => {
    const { compare, tally, limit, lookOf } = setUp();
    await limit.noteCanaryMade();
    for (const letter of ["a", "b", "c"]) await put(keyOf(letter), {}, { created: "x" });
    assert.deepEqual(await compare(), { end: "emptied", after: undefined });
    assert.deepEqual([tally.differing, tally.held], [1, 1]);
    assert.equal(await lookOf(keyOf("a")), undefined);
  });

  it("ends for that also when another row, which was asked for before, is answered after it", async () => {
    const late = Promise.withResolvers<"missing">();
    const copies = ["a", "b"].map((letter) => ({
      key: keyOf(letter),
      session: {},
      version: 1,
      gateway: { created: "x" },
    }));
    const end = await createReconcile({
      gateway: { get: (key) => (key === keyOf("a") ? late.promise : Promise.resolve("missing")) },
      rows: {
        page: async () => ({ copies, next: undefined }),
        copy: async (key) => copies.find((each) => each.key === key),
        doubt: async () => {},
      },
      isAsked: () => true,
      async whenMissing({ key }) {
        if (key === keyOf("a")) return "doubted";
        late.resolve("missing");
        return "emptied";
      },
      withPending: false,
      pace: async () => true,
      concurrency: 2,
      now: () => NOW,
      log: NO_LOG,
    })(undefined, emptyTally());
    assert.equal(end.end, "emptied");
  });

  it("holds the rows of missing keys when so many were found absent that no more are believed", async () => {
    const { compare, tally, limit, lookOf } = setUp({ perHour: 1 });
    await CANARY.make(api());
    await limit.admit();
    for (const letter of ["a", "b"]) await put(keyOf(letter), {}, { created: "x" });
    assert.equal((await compare()).end, "through");
    assert.deepEqual([tally.differing, tally.held], [2, 2]);
    assert.equal(await lookOf(keyOf("a")), undefined);
  });

  it("goes on where the last slice ended, one invocation at a time, and starts from the beginning when it is through", async () => {
    let now = NOW;
    const place = createReconcilePlace({ dynamo, stateTable, now: () => now });
    const keys = [..."abcdefghij"].map(keyOf);
    for (const key of keys) {
      create(key);
      await copy(key);
    }
    model.requests.length = 0;
    const slices: string[] = [];
    for (let slice = 0; slice < 3; slice += 1) {
      const turn = await place.begin(1_000);
      assert.ok(turn);
      assert.equal(await place.begin(1_000), undefined, "another one waits");
      const { end, after: reached } = await setUp({ stopAfter: 4 }).compare(turn.after);
      slices.push(end);
      await turn.end(reached);
    }
    assert.deepEqual(slices, ["stopped", "stopped", "through"]);
    assert.equal(new Set(lookups()).size, keys.length);
    assert.equal(lookups().length, keys.length, "each key once");
    const crashed = await place.begin(1_000);
    assert.equal(crashed?.after, undefined, "anew");
    now += 1_001;
    const next = await place.begin(1_000);
    assert.ok(next, "one that crashed holds nobody back");
    await crashed?.end("too late");
    await next.end(undefined);
    assert.equal((await place.begin(1_000))?.after, undefined);
  });
});
