// People's way to the sessions table, over HTTP, while handlers commit to it.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, describe, it } from "node:test";
import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { DeleteCommand, PutCommand } from "@aws-sdk/lib-dynamodb";
import { type ConsumerStore, createConsumerStore } from "../../lib/commit/store.ts";
import { createSessionsApi } from "../../lib/sessions/api.ts";
import { sessionItem } from "../../lib/sessions/item.ts";
import { createSessionRows } from "../../lib/sessions/rows.ts";
import type { Session } from "../../lib/sessions/session.ts";
import { createSessionStore, type SessionStore } from "../../lib/sessions/store.ts";
import { NO_LOG } from "../helpers/no-log.ts";
import { NO_MARKS } from "../helpers/no-marks.ts";
import { startTestStack, type TestStack } from "../helpers/stack.ts";

const RIGHTS = { access_rights: { demo: { api_id: "demo" } } };
const SESSION = { org_id: "o1", expires: 4_000_000_000, ...RIGHTS };
const SAID = { changedBy: { by: "api" as const } };
let stack: TestStack;
let consumer: ConsumerStore;
let store: SessionStore;
const lines: string[] = [];

before(async () => {
  stack = await startTestStack();
  stack.facts.listen((fact) => lines.push(JSON.stringify(fact)));
  const common = { dynamo: stack.clients.dynamoClient, now: Date.now, random: Math.random };
  const { SESSIONS_TABLE, STATE_TABLE } = stack.resources;
  consumer = createConsumerStore({
    sessionsTable: SESSIONS_TABLE,
    stateTable: STATE_TABLE,
    ledgerTtlSeconds: 60,
    newToken: randomUUID,
    ...common,
  });
  store = createSessionStore({ proveMarks: NO_MARKS, table: SESSIONS_TABLE, ...common });
});
after(() => stack.close());

interface Answer {
  status: number;
  etag: string;
  text: string;
  body: {
    error: { code: string; message: string; field?: string };
    action: string;
    version: number;
  } & Session;
}

async function ask(method: string, path: string, body?: unknown, ifMatch?: string): Promise<Answer> {
  const response = await fetch(`${stack.url}/sessions${path}`, {
    method,
    ...(body !== undefined && { body: typeof body === "string" ? body : JSON.stringify(body) }),
    headers: ifMatch === undefined ? {} : { "if-match": ifMatch },
  });
  const text = await response.text();
  return {
    status: response.status,
    etag: response.headers.get("etag") ?? "",
    text,
    body: JSON.parse(text) as Answer["body"],
  };
}

const pathOf = (key: string) => `/${encodeURIComponent(key)}`;
const newKey = () => `key-${randomUUID()}`;
const putItem = (Item: Record<string, unknown>) =>
  stack.clients.dynamo.send(new PutCommand({ TableName: stack.resources.SESSIONS_TABLE, Item }));
const commit = (key: string, session: Session, version: number) =>
  consumer.commit([{ kind: "session", key, session, version }]);

describe("a session", () => {
  it("that is put is added, then modified, and read as a gateway prints it, with its version", async () => {
    const path = pathOf(newKey());
    const added = await ask("PUT", path, { ...SESSION, quota_max: 9, quota_renewal_rate: 60, alias: "" });
    assert.deepEqual(
      [added.status, added.body.action, added.etag],
      [201, "added", `"${added.body.version}"`],
    );
    const got = await ask("GET", path);
    assert.deepEqual([got.status, got.etag], [200, added.etag]);
    assert.ok(got.text.startsWith('{"expires":4000000000,"quota_max":9,"quota_renews":'), got.text);
    assert.equal(got.body.quota_remaining, 9, "the quota is reset");
    const modified = await ask("PUT", path, SESSION);
    assert.deepEqual(
      [modified.status, modified.body.action, modified.body.version],
      [200, "modified", added.body.version + 1],
    );
  });

  it("that is put with suppress_reset=1 keeps its quota as given", async () => {
    const path = pathOf(newKey());
    await ask("PUT", `${path}?suppress_reset=1`, { ...SESSION, quota_max: 9, quota_remaining: 4 });
    const { body } = await ask("GET", path);
    assert.deepEqual([body.quota_remaining, body.quota_renews, body.last_updated], [4, undefined, undefined]);
  });

  it("is deleted, and is then missing to get, delete and If-Match", async () => {
    const path = pathOf(newKey());
    const { etag } = await ask("PUT", path, SESSION);
    const deleted = await ask("DELETE", path);
    assert.deepEqual([deleted.status, deleted.body.action], [200, "deleted"]);
    assert.equal((await ask("GET", path)).body.error.code, "session-missing");
    assert.equal((await ask("DELETE", path)).status, 404);
    assert.equal((await ask("PUT", path, SESSION, etag)).status, 412);
    assert.equal((await ask("PUT", path, SESSION, "*")).status, 412);
  });

  it("whose lifetime is over is missing although its item is still there, and can be put again", async () => {
    const key = newKey();
    await putItem(sessionItem(key, { ...SESSION, session_lifetime: 1 }, 7, 1_000));
    assert.equal((await ask("GET", pathOf(key))).status, 404);
    assert.equal((await ask("PUT", pathOf(key), SESSION)).body.version, 8);
  });

  it("keeps a basic-auth password that nobody is shown", async () => {
    const key = newKey();
    const basic = { password: "hash-of-it", hash_type: "bcrypt" };
    await ask("PUT", pathOf(key), { ...SESSION, basic_auth_data: basic });
    const { text, body } = await ask("GET", pathOf(key));
    assert.ok(!text.includes("hash-of-it"), text);
    await ask("PUT", pathOf(key), { ...body, alias: "renamed" });
    const stored = await stack.session(key);
    assert.deepEqual([stored?.alias, stored?.basic_auth_data], ["renamed", basic]);
  });

  for (const key of ["org/team/key", "schlüssel-鍵-🔑", "50% off+more", "a?b#c", "x".repeat(2048), "//"]) {
    it(`is found by a key such as ${JSON.stringify(key.slice(0, 20))}, encoded in the path`, async () => {
      assert.equal((await ask("PUT", pathOf(key), SESSION)).status, 201);
      assert.deepEqual((await stack.session(key))?.org_id, "o1");
      assert.equal((await ask("GET", pathOf(key))).status, 200);
    });
  }

  it("that was edited by hand to no session says which member, and is mended by a put", async () => {
    const key = newKey();
    await putItem({ ...sessionItem(key, SESSION, 1, 0), session: { ...SESSION, rate: "fast" } });
    const { status, body } = await ask("GET", pathOf(key));
    assert.deepEqual([status, body.error.code], [422, "session-unfit"]);
    assert.match(body.error.message, /rate: expected a number, found a string/);
    assert.equal((await ask("PUT", pathOf(key), SESSION)).status, 200);
  });
});

describe("If-None-Match", () => {
  it("of * lets a key that is new through, and nobody over one that is there", async () => {
    const path = pathOf(newKey());
    const put = (alias: string) =>
      fetch(`${stack.url}/sessions${path}`, {
        method: "PUT",
        body: JSON.stringify({ ...SESSION, alias }),
        headers: { "if-none-match": "*" },
      });
    assert.equal((await put("first")).status, 201);
    const second = await put("second");
    const { error } = (await second.json()) as Answer["body"];
    assert.deepEqual([second.status, error.code, error.field], [412, "session-mismatch", "if-none-match"]);
    assert.equal((await ask("GET", path)).body.alias, "first");
  });

  it("of versions keeps from these alone, also where they are marked as weak", async () => {
    const path = pathOf(newKey());
    const put = (tags: string) =>
      fetch(`${stack.url}/sessions${path}`, {
        method: "PUT",
        body: JSON.stringify(SESSION),
        headers: { "if-none-match": tags },
      });
    const first = (await put('"1"')).headers.get("etag");
    assert.equal((await put(`"7", W/${first}`)).status, 412);
    assert.equal((await put('"7"')).status, 200);
  });
});

describe("If-Match", () => {
  it("lets one of two writers of a version through", async () => {
    const path = pathOf(newKey());
    const { etag } = await ask("PUT", path, SESSION);
    const answers = await Promise.all(
      ["a", "b"].map((alias) => ask("PUT", path, { ...SESSION, alias }, etag)),
    );
    assert.deepEqual(answers.map(({ status }) => status).sort(), [200, 412]);
    const winner = answers[0]?.status === 200 ? "a" : "b";
    assert.equal((await ask("GET", path)).body.alias, winner);
  });

  it("takes a list and *, and no weak or other tag", async () => {
    const path = pathOf(newKey());
    const { etag } = await ask("PUT", path, SESSION);
    for (const tag of [`W/${etag}`, '"1"', "nonsense", ""])
      assert.equal((await ask("DELETE", path, undefined, tag)).body.error.code, "session-mismatch", tag);
    const { status, etag: next } = await ask("PUT", path, SESSION, `"1", ${etag}`);
    assert.equal(status, 200);
    assert.equal((await ask("DELETE", path, undefined, etag)).status, 412);
    assert.equal((await ask("PUT", path, SESSION, "*")).status, 200);
    assert.equal((await ask("DELETE", path, undefined, next)).status, 412);
  });
});

describe("beside a handler's commit", () => {
  /** The API on a store where something happens between each read and its write. */
  const apiWith = (meanwhile: (key: string) => Promise<unknown>) =>
    createSessionsApi({
      store: {
        ...store,
        async read(key) {
          const stored = await store.read(key);
          await meanwhile(key);
          return stored;
        },
      },
      rows: createSessionRows({
        dynamo: stack.clients.dynamoClient,
        table: stack.resources.SESSIONS_TABLE,
        now: Date.now,
        random: Math.random,
      }),
      allowMasterKeys: false,
      now: Date.now,
      random: () => 0,
      log: NO_LOG,
    });
  const request = (route: string, key: string) => ({
    route: `${route} /sessions/{key+}`,
    key,
    query: {},
    ifMatch: undefined,
    body: JSON.stringify(SESSION),
    changedBy: { by: "api" as const },
  });
  const once = (work: (key: string) => Promise<unknown>) => {
    let done = false;
    return async (key: string) => {
      if (!done) await work(key);
      done = true;
    };
  };

  it("a put is done on what the handler made of the session, never on what it was before", async () => {
    const key = newKey();
    await ask("PUT", pathOf(key), SESSION);
    const { version } = await consumer.readSession(key);
    const secret = { ...SESSION, basic_auth_data: { password: "set-meanwhile" } };
    const put = apiWith(once(() => commit(key, secret, version)));
    assert.equal((await put(request("PUT", key))).status, 200);
    assert.equal((await store.read(key)).version, version + 2);
    assert.equal((await stack.session(key))?.basic_auth_data?.password, "set-meanwhile");
  });

  it("a put is given up when others come first again and again", async () => {
    const key = newKey();
    const put = apiWith(async () => {
      const { version } = await consumer.readSession(key);
      await commit(key, { ...SESSION, alias: String(version) }, version);
    });
    await assert.rejects(put(request("PUT", key)), { code: "session-stale" });
  });

  it("a delete takes the session that the handler has just changed, and the handler's next commit conflicts", async () => {
    const key = newKey();
    await ask("PUT", pathOf(key), SESSION);
    const { version } = await consumer.readSession(key);
    const remove = apiWith(once(() => commit(key, SESSION, version)));
    assert.equal((await remove(request("DELETE", key))).status, 200);
    assert.deepEqual(await commit(key, SESSION, version + 1), { conflicts: [0] });
    assert.equal(await stack.session(key), undefined);
  });

  it("counts of handlers and edits of people at once are all there at the end", async () => {
    const key = newKey();
    await ask("PUT", pathOf(key), SESSION);
    let counted = 0;
    const counting = async () => {
      while (counted < 20) {
        const { session, version } = await consumer.readSession(key);
        const { conflicts } = await commit(key, { ...session, rate: (session?.rate ?? 0) + 1 }, version);
        if (conflicts.length === 0) counted += 1;
      }
    };
    let edited = 0;
    const editing = async () => {
      while (edited < 10) {
        const { body, etag } = await ask("GET", pathOf(key));
        const tags = [...(body.tags ?? []), "edit"];
        if ((await ask("PUT", pathOf(key), { ...body, tags }, etag)).status === 200) edited += 1;
      }
    };
    await Promise.all([counting(), editing()]);
    const session = await stack.session(key);
    assert.deepEqual([session?.rate, session?.tags?.length], [20, 10]);
  });

  it("a write whose answer was lost counts once when the SDK sends it again", async () => {
    const key = newKey();
    const client = new DynamoDBClient({
      region: stack.env.AWS_REGION ?? "",
      endpoint: stack.env.AWS_ENDPOINT_URL_DYNAMODB ?? "",
      credentials: { accessKeyId: "a", secretAccessKey: "b" },
    });
    let sent = 0;
    // Below the SDK's own retries: the engine has done it, and the answer does not arrive.
    client.middlewareStack.add(
      (next) => async (args) => {
        const answer = await next(args);
        sent += 1;
        if (sent % 2 === 0) return answer;
        throw Object.assign(new Error("the connection broke"), { name: "TimeoutError" });
      },
      { step: "deserialize" },
    );
    const twice = createSessionStore({
      proveMarks: NO_MARKS,
      dynamo: client,
      table: stack.resources.SESSIONS_TABLE,
      now: Date.now,
      random: Math.random,
    });
    const first = (await twice.put(key, SESSION, { version: 0 }, SAID)) ?? 0;
    assert.equal(first, 1);
    assert.equal(await twice.put(key, { ...SESSION, tags: ["a"] }, { version: first }, SAID), 2);
    assert.equal(await twice.remove(key, { version: 2 }), true);
    assert.equal(sent, 6);
    client.destroy();
  });

  it("of two that write the same on one version, one is told that the other came first", async () => {
    const key = newKey();
    const store = createSessionStore({
      proveMarks: NO_MARKS,
      dynamo: stack.clients.dynamoClient,
      table: stack.resources.SESSIONS_TABLE,
      now: Date.now,
      random: Math.random,
    });
    const first = (await store.put(key, SESSION, { version: 0 }, SAID)) ?? 0;
    const counted = { ...SESSION, rate: 2 };
    const writes = await Promise.all(
      Array.from({ length: 5 }, () => store.put(key, counted, { version: first }, SAID)),
    );
    assert.equal(
      writes.filter((version) => version !== undefined).length,
      1,
      "each counted on being the only one",
    );
  });
});

describe("a key that is deleted and put again", () => {
  const removals: [string, (key: string) => Promise<unknown>][] = [
    ["the API", (key) => ask("DELETE", pathOf(key))],
    [
      "DynamoDB's TTL",
      (key) =>
        stack.clients.dynamo.send(
          new DeleteCommand({ TableName: stack.resources.SESSIONS_TABLE, Key: { key } }),
        ),
    ],
  ];
  for (const [who, remove] of removals) {
    it(`after ${who} deleted it has no version that somebody read before`, async () => {
      const key = newKey();
      const seen = new Set<number>();
      for (let life = 0; life < 5; life += 1) {
        const creators = [
          () => ask("PUT", pathOf(key), SESSION),
          async () => {
            const { version } = await consumer.readSession(key);
            await commit(key, SESSION, version);
          },
        ];
        await creators[life % 2]?.();
        await ask("PUT", pathOf(key), SESSION);
        const { version } = await consumer.readSession(key);
        for (const used of [version - 1, version]) assert.ok(!seen.has(used), `${used} again`);
        seen.add(version - 1).add(version);
        await remove(key);
      }
    });

    it(`after ${who} deleted it makes a commit on what was before conflict`, async () => {
      const key = newKey();
      await ask("PUT", pathOf(key), SESSION);
      const { session, version } = await consumer.readSession(key);
      await remove(key);
      await ask("PUT", pathOf(key), { ...SESSION, alias: "second life" });
      assert.deepEqual(await commit(key, { ...session, alias: "stale" }, version), { conflicts: [0] });
      assert.equal((await stack.session(key))?.alias, "second life");
    });
  }
});

describe("the list", () => {
  const NOW = 4_000_000_000;
  let org: string;
  let query: string;

  interface Page {
    sessions: {
      key: string;
      expires: number;
      version: number;
      updated_at: number;
      session?: Session;
      error?: object;
    }[];
    cursor?: string;
  }
  const list = async (more = "") => (await ask("GET", `?${query}${more}`)).body as unknown as Page;
  const keysOf = ({ sessions }: Page) => sessions.map(({ key }) => key.split(" ").at(-1));

  before(async () => {
    org = `org-${randomUUID()} &`;
    query = `org_id=${encodeURIComponent(org)}`;
    const expires = [0, ...Array.from({ length: 24 }, (_, at) => NOW + at)];
    await Promise.all(
      expires.map((end, at) => ask("PUT", pathOf(`${org} ${at}`), { ...SESSION, org_id: org, expires: end })),
    );
  });

  it("has the keys of one organisation in the order of their end, without the sessions", async () => {
    const page = await list();
    assert.deepEqual(
      keysOf(page),
      Array.from({ length: 25 }, (_, at) => String(at)),
    );
    assert.equal(page.cursor, undefined);
    assert.deepEqual(Object.keys(page.sessions[0] ?? {}).sort(), [
      "changed_by",
      "expires",
      "key",
      "updated_at",
      "version",
    ]);
    assert.deepEqual(((await ask("GET", "?org_id=nobody")).body as unknown as Page).sessions, []);
  });

  it("has whole sessions with full=1, passwords hidden, and one that is unfit does not hide the others", async () => {
    const unfit = `${org} unfit`;
    const item = sessionItem(unfit, { ...SESSION, org_id: `${org}2` }, 1, 0);
    await putItem({ ...item, session: { rate: "fast" } });
    const secret = { ...SESSION, org_id: `${org}2`, basic_auth_data: { password: "hash-of-it" } };
    await ask("PUT", pathOf(`${org} fit`), secret);
    const { text, body } = await ask("GET", `?org_id=${encodeURIComponent(`${org}2`)}&full=1`);
    const { sessions } = body as unknown as Page;
    assert.ok(!text.includes("hash-of-it"));
    assert.equal(sessions.length, 2);
    const fit = sessions.find(({ key }) => key.endsWith(" fit"));
    assert.deepEqual(fit?.session?.access_rights, RIGHTS.access_rights);
    assert.ok(sessions.find(({ key }) => key === unfit)?.error);
  });

  it("is cut to a time, from which keys without an end are left out", async () => {
    assert.deepEqual(keysOf(await list(`&expires_before=${NOW + 2}`)), ["1", "2"]);
    assert.deepEqual(keysOf(await list(`&expires_after=${NOW + 21}`)), ["23", "24"]);
    assert.deepEqual(keysOf(await list(`&expires_after=${NOW}&expires_before=${NOW + 2}`)), ["2"]);
    assert.equal((await list("&expires_after=0")).sessions.length, 24);
  });

  it("goes on page by page until every key was there once", async () => {
    for (const limit of [1, 7, 25, 100]) {
      const keys: (string | undefined)[] = [];
      let cursor = "";
      do {
        const page = await list(`&limit=${limit}${cursor && `&cursor=${cursor}`}`);
        assert.ok(page.sessions.length <= limit);
        keys.push(...keysOf(page));
        cursor = page.cursor ?? "";
      } while (cursor);
      assert.deepEqual(
        keys,
        Array.from({ length: 25 }, (_, at) => String(at)),
        `limit ${limit}`,
      );
    }
  });

  it("leaves out what has ended", async () => {
    const ended = { ...SESSION, org_id: `${org}3`, session_lifetime: 1 };
    await putItem(sessionItem(`${org} ended`, ended, 1, 1_000));
    const { body } = await ask("GET", `?org_id=${encodeURIComponent(`${org}3`)}`);
    assert.deepEqual((body as unknown as Page).sessions, []);
  });

  it("refuses a cursor of another query", async () => {
    const { cursor = "" } = await list("&limit=3");
    const others = [
      `?org_id=other&cursor=${cursor}`,
      `?${query}&cursor=${cursor}&expires_after=${NOW + 20}`,
      `?${query}&cursor=${cursor}x`,
      `?${query}&cursor=`,
      `?${query}&cursor=${Buffer.from('{"key":"k"}').toString("base64url")}`,
      `?${query}&cursor=${Buffer.from(JSON.stringify([org, null, "k"])).toString("base64url")}`,
      `?${query}&cursor=${Buffer.from(JSON.stringify([org, 1, ""])).toString("base64url")}`,
    ];
    for (const path of others) {
      const { status, body } = await ask("GET", path);
      assert.deepEqual(
        [status, body.error?.code, body.error?.field],
        [400, "request-invalid", "cursor"],
        path,
      );
    }
  });
});

describe("bad input", () => {
  const nested = (levels: number): object => (levels === 0 ? {} : { x: nested(levels - 1) });
  const BAD: [
    what: string,
    method: string,
    path: string,
    body: unknown,
    status: number,
    field: string | undefined,
  ][] = [
    ["malformed JSON", "PUT", "/k", '{"rate":', 400, ""],
    ["an empty body", "PUT", "/k", "", 400, ""],
    ["a JSON list", "PUT", "/k", "[]", 400, ""],
    ["a member of a wrong type", "PUT", "/k", { ...SESSION, expires: 1.5 }, 400, "expires"],
    ["a session without access_rights", "PUT", "/k", { org_id: "o1" }, 403, "access_rights"],
    [
      "a session of more than 380 KB",
      "PUT",
      "/k",
      { ...SESSION, alias: "x".repeat(390_000) },
      413,
      undefined,
    ],
    ["meta_data nested 40 deep", "PUT", "/k", { ...SESSION, meta_data: nested(40) }, 400, "meta_data"],
    ["a number beyond the table's", "PUT", "/k", { ...SESSION, meta_data: { v: 1e200 } }, 400, "meta_data"],
    ["a rate beyond the table's", "PUT", "/k", { ...SESSION, rate: 1e200 }, 400, "rate"],
    ["a member without a name", "PUT", "/k", { ...SESSION, meta_data: { "": 1 } }, 400, "meta_data"],
    [
      "more members than are looked at",
      "PUT",
      "/k",
      { ...SESSION, tags: Array(10_001).fill("") },
      413,
      undefined,
    ],
    ["a key of 2,049 bytes", "PUT", `/${"x".repeat(2_049)}`, SESSION, 400, "key"],
    ["a long key in another script", "GET", pathOf("鍵".repeat(683)), undefined, 400, "key"],
    [
      "a suppress_reset that is neither 0 nor 1",
      "PUT",
      "/k?suppress_reset=yes",
      SESSION,
      400,
      "suppress_reset",
    ],
    ["a parameter that there is not", "PUT", "/k?supress_reset=1", SESSION, 400, "supress_reset"],
    ["a list without org_id", "GET", "", undefined, 400, "org_id"],
    ["a limit of 0", "GET", "?org_id=o1&limit=0", undefined, 400, "limit"],
    ["a limit of 101", "GET", "?org_id=o1&limit=101", undefined, 400, "limit"],
    ["a limit in words", "GET", "?org_id=o1&limit=ten", undefined, 400, "limit"],
    ["a time with a fraction", "GET", "?org_id=o1&expires_before=1.5", undefined, 400, "expires_before"],
    [
      "an empty span of time",
      "GET",
      "?org_id=o1&expires_after=5&expires_before=6",
      undefined,
      400,
      "expires_before",
    ],
    ["a misspelt filter", "GET", "?org_id=o1&expire_before=5", undefined, 400, "expire_before"],
    ["full that is neither 0 nor 1", "GET", "?org_id=o1&full=all", undefined, 400, "full"],
  ];
  for (const [what, method, path, body, status, field] of BAD) {
    it(`${what} is refused with the field at fault`, async () => {
      const answer = await ask(method, path, body);
      assert.deepEqual([answer.status, answer.body.error.field], [status, field || undefined]);
      assert.ok(answer.body.error.code && answer.body.error.message);
      assert.equal(await stack.session("k"), undefined);
    });
  }

  it("a path that is no encoded text is refused before the function", async () => {
    assert.equal((await fetch(`${stack.url}/sessions/%zz`)).status, 400);
  });
});

it("no key is in a log line", async () => {
  const key = newKey();
  await ask("PUT", pathOf(key), SESSION);
  await ask("PUT", pathOf(key), "{");
  await ask("DELETE", pathOf(key));
  await stack.fact(({ message }) => message === "session deleted");
  assert.ok(lines.some((line) => line.includes("session added")));
  assert.deepEqual(
    lines.filter((line) => line.includes("key-")),
    [],
  );
});
