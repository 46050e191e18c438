import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, describe, it } from "node:test";
import { GetCommand } from "@aws-sdk/lib-dynamodb";
import { type ApiLifetime, sessionEnd } from "../../lib/sessions/lifetime.ts";
import type { Session } from "../../lib/sessions/session.ts";
import { startTestStack, type TestStack } from "../helpers/stack.ts";

const NOW = 1_000_000;
const [SOON, LATER] = [NOW + 50, NOW + 5_000];

const rights = (...ids: string[]) => ({
  access_rights: Object.fromEntries(ids.map((id) => [id, { api_id: id }])),
});

/** Of a session with these members, for these APIs, in seconds from now; 0 is never. */
function left(session: Session, apis: Record<string, ApiLifetime> = {}): number {
  const lifetimes = { apis: Object.values(apis), api: (id: string) => apis[id] };
  const end = sessionEnd(session, lifetimes, NOW);
  return end && end - NOW;
}

describe("a session is kept, without a gateway, as long as a gateway would keep it", () => {
  const RESPECTS = { session_lifetime_respects_key_expiration: true };
  const CASES: [what: string, session: Session, api: ApiLifetime, seconds: number][] = [
    ["for ever, when nobody says anything", {}, {}, 0],
    ["for ever, whenever its key expires", { expires: SOON }, {}, 0],
    ["as its API says", {}, { session_lifetime: 100 }, 100],
    ["as it says itself, before its API", { session_lifetime: 7 }, { session_lifetime: 100 }, 7],
    [
      "until its key expires, when the API respects that and it is later",
      { expires: LATER },
      { session_lifetime: 100, ...RESPECTS },
      5_000,
    ],
    [
      "not shorter for a key that expires earlier",
      { expires: SOON },
      { session_lifetime: 100, ...RESPECTS },
      100,
    ],
    [
      "for ever, when its API respects that its key never expires",
      {},
      { session_lifetime: 100, ...RESPECTS },
      0,
    ],
    ["likewise for an end of -1", { expires: -1 }, { session_lifetime: 100, ...RESPECTS }, 0],
    [
      "until its key expires, also by its own lifetime",
      { session_lifetime: 7, expires: LATER },
      RESPECTS,
      5_000,
    ],
    [
      "until its key expires, when it is to be deleted then",
      { post_expiry_action: "delete", expires: LATER },
      { session_lifetime: 9_999 },
      5_000,
    ],
    ["a second more, when that is over", { post_expiry_action: "delete", expires: NOW - 9 }, {}, 1],
    ["for ever, when it never expires", { post_expiry_action: "delete" }, { session_lifetime: 9 }, 0],
    [
      "some time longer than its key, as a grace",
      { post_expiry_action: "retain", post_expiry_grace_period: 30, expires: SOON },
      {},
      80,
    ],
    [
      "for a second, when the grace is over",
      { post_expiry_action: "retain", post_expiry_grace_period: 30, expires: NOW - 60 },
      {},
      1,
    ],
    [
      "for ever, with a grace without end",
      { post_expiry_action: "retain", post_expiry_grace_period: -1, expires: SOON },
      { session_lifetime: 9 },
      0,
    ],
    [
      "as its API says, when it is retained without a grace",
      { post_expiry_action: "retain", expires: SOON },
      { session_lifetime: 9 },
      9,
    ],
    [
      "as its API says, for an action that nobody knows",
      { post_expiry_action: "keep" },
      { session_lifetime: 9 },
      9,
    ],
  ];
  for (const [what, session, api, seconds] of CASES)
    it(what, () => {
      assert.equal(left({ ...session, ...rights("a") }, { a: api }), seconds);
    });

  it("of several APIs as the most generous says, and those that are unknown say nothing", () => {
    const apis = {
      a: { session_lifetime: 10 },
      b: { session_lifetime: 20 },
      never: {},
      c: { session_lifetime: 30 },
    };
    assert.equal(left(rights("a", "b"), apis), 20);
    assert.equal(left(rights("a", "never"), apis), 10);
    assert.equal(left(rights("a", "unknown"), apis), 10);
    assert.equal(left(rights("unknown"), apis), 0);
    assert.equal(left({ ...rights("unknown"), session_lifetime: 5 }, apis), 5);
    const forEver = { ...apis, r: { session_lifetime: 1, ...RESPECTS } };
    assert.equal(left({ ...rights("c", "r"), expires: -1 }, forEver), 0);
  });

  it("as the most generous of all APIs says, when it opens every one", () => {
    assert.equal(left({}, { a: { session_lifetime: 10 }, b: { session_lifetime: 20 } }), 20);
    assert.equal(left({ session_lifetime: 5 }), 5);
  });
});

describe("in the local stack", () => {
  let stack: TestStack;
  const script = `var keep = new TykJS.TykEventHandlers.NewEventHandler({});
keep.NewHandler(function (event, context) {
  var rights = {}; rights[context.APIID] = { api_id: context.APIID };
  TykSetKeyData(event.Meta.Key, JSON.stringify({ org_id: "o", access_rights: rights }), 1);
});`;
  const definition = (id: string, rest = {}) => ({
    path: `apis/${id}.json`,
    text: JSON.stringify({
      api_id: id,
      org_id: "o",
      event_handlers: {
        events: {
          KeyExpired: [
            { handler_name: "eh_dynamic_handler", handler_meta: { name: "keep", path: "keep.js" } },
          ],
        },
      },
      ...rest,
    }),
  });

  before(async () => {
    stack = await startTestStack();
    await stack.releases.writeSource({ path: "handlers/keep.js", text: script });
    await stack.releases.writeSource(definition("hour", { session_lifetime: 3_600 }));
    await stack.releases.writeSource(definition("ever"));
    assert.equal((await stack.release()).result, "live");
  });
  after(() => stack.close());

  async function itemOf(key: string) {
    const { Item } = await stack.clients.dynamo.send(
      new GetCommand({ TableName: stack.resources.SESSIONS_TABLE, Key: { key }, ConsistentRead: true }),
    );
    return Item;
  }

  it("a handler's write gets the end that its API gives it", async () => {
    for (const [api, seconds] of [
      ["hour", 3_600],
      ["ever", undefined],
    ] as const) {
      const id = randomUUID();
      const body = { id, event: { Type: "KeyExpired", Meta: { Key: id }, TimeStamp: "" } };
      assert.equal((await stack.post(api, JSON.stringify(body))).status, 202);
      await stack.fact(({ message, fields }) => message === "event done" && fields.event_id === id);
      const item = await itemOf(id);
      assert.equal(item?.ttl === undefined ? undefined : item.ttl - item.updated_at, seconds);
    }
  });

  it("so does one over HTTP", async () => {
    for (const [api, seconds] of [
      ["hour", 3_600],
      ["ever", undefined],
    ] as const) {
      const key = randomUUID();
      const response = await fetch(`${stack.url}/sessions/${key}`, {
        method: "PUT",
        body: JSON.stringify({ org_id: "o", ...rights(api) }),
      });
      assert.equal(response.status, 201);
      const item = await itemOf(key);
      assert.equal(item?.ttl === undefined ? undefined : item.ttl - item.updated_at, seconds);
    }
  });
});
