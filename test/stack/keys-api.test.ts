// The gateway's key API on the sessions table, beside what a recording can tell (keys-replay.test.ts): who may use it,
// what it refuses, what it keeps, and what it says of none of it.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, describe, it } from "node:test";
import { GetCommand } from "@aws-sdk/lib-dynamodb";
import { compare } from "bcryptjs";
import fc from "fast-check";
import { readKeysAuth } from "../../functions/keys-auth.ts";
import { createKeysApi, type KeysRequest } from "../../lib/keys/api.ts";
import type { KeysDeps } from "../../lib/keys/deps.ts";
import { MAX_KEYS, MAX_UNITS } from "../../lib/keys/list.ts";
import type { SessionRow } from "../../lib/sessions/item.ts";
import type { Place, Search } from "../../lib/sessions/search.ts";
import type { Session } from "../../lib/sessions/session.ts";
import { anySession } from "../helpers/any-session.ts";
import { startTestStack, type TestStack } from "../helpers/stack.ts";

const OLD = "the-secret-of-before";
const SECRET = "the-secret-of-today!";
const ORG = "5e9d9544a1dcd60001d0ed20";
const RIGHTS = { access_rights: { demo: { api_id: "demo" } } };
const SESSION = { org_id: ORG, ...RIGHTS };
const FORBIDDEN = "Attempted administrative access with invalid or missing key!";

interface Answer {
  status: number;
  text: string;
  headers: Headers;
}

async function ask(
  url: string,
  method: string,
  path: string,
  body?: unknown,
  secret: string | undefined = SECRET,
): Promise<Answer> {
  const response = await fetch(`${url}/tyk/${path}`, {
    method,
    redirect: "manual",
    ...(body !== undefined && { body: typeof body === "string" ? body : JSON.stringify(body) }),
    headers: secret === "" ? {} : { "X-Tyk-Authorization": secret },
  });
  return { status: response.status, text: await response.text(), headers: response.headers };
}

const messageOf = ({ text }: Answer) => (JSON.parse(text) as { message: string }).message;

describe("the key API over HTTP", () => {
  let stack: TestStack;
  const lines: string[] = [];
  const call = (method: string, path: string, body?: unknown, secret?: string) =>
    ask(stack.url, method, path, body, secret);
  const create = async (session: object): Promise<string> => {
    const made = await call("POST", "keys/create", session);
    assert.equal(made.status, 200, made.text);
    return (JSON.parse(made.text) as { key: string }).key;
  };
  const read = async (key: string) => JSON.parse((await call("GET", `keys/${key}`)).text) as Session;

  before(async () => {
    stack = await startTestStack({
      settings: { KEYS_API_SECRET: `${OLD},${SECRET}` },
      onLine: (_name, line) => lines.push(line),
    });
  });
  after(() => stack?.close());

  it("lets in whoever has one of its secrets, and nobody else", async () => {
    for (const secret of [OLD, SECRET])
      assert.equal((await call("GET", "keys", undefined, secret)).status, 200);
    for (const secret of ["", "wrong", `${OLD},${SECRET}`, SECRET.slice(1), `Bearer ${SECRET}`])
      for (const [method, path] of [
        ["GET", "keys"],
        ["POST", "keys/create"],
        ["PUT", "keys/k"],
        ["DELETE", "keys/k"],
        ["GET", "anything"],
      ] as const) {
        const answer = await call(method, path, method === "GET" ? undefined : SESSION, secret);
        assert.deepEqual([answer.status, messageOf(answer)], [403, FORBIDDEN]);
      }
  });

  it("keeps what it is told of the log: neither keys nor secrets, passwords nor sessions", async () => {
    const key = await create({
      ...SESSION,
      alias: "hidden-alias",
      basic_auth_data: { password: "hidden-pw" },
    });
    await call("PUT", `keys/${key}`, { ...SESSION, alias: "hidden-alias" });
    await call("POST", "keys/hidden-name", { ...SESSION, apply_policies: ["gold"] });
    await call("GET", `keys/${key}`, undefined, "hidden-wrong-secret");
    await call("DELETE", `keys/${key}`);
    await stack.fact((fact) => JSON.stringify(fact).includes("session deleted"));
    const log = lines.join("\n");
    assert.match(log, /"message":"key refused"[^\n]*policy not found/);
    for (const hidden of [key, "hidden-", OLD, SECRET]) assert.ok(!log.includes(hidden), hidden);
  });

  it("stores a password as a gateway can check it, once, and shows it to nobody", async () => {
    const user = `user-${randomUUID()}`;
    const password = "correct horse";
    const named = `keys/${user}?org_id=${ORG}`;
    await call("POST", `keys/${user}`, { ...SESSION, basic_auth_data: { password } });
    const stored = async () => {
      const { Item } = await stack.clients.dynamo.send(
        new GetCommand({ TableName: stack.resources.SESSIONS_TABLE, Key: { key: ORG + user } }),
      );
      return (Item?.session as Session | undefined)?.basic_auth_data?.password ?? "";
    };
    const hash = await stored();
    assert.ok(await compare(password, hash));
    const shown = (await call("GET", named)).text;
    assert.ok(!shown.includes(hash) && shown.includes('"basic_auth_data":{"hash_type":"bcrypt"}'));
    for (const given of [
      JSON.parse(shown),
      { ...SESSION },
      { ...SESSION, basic_auth_data: { password: hash } },
    ]) {
      assert.equal((await call("PUT", `keys/${user}`, given)).status, 200);
      assert.equal(await stored(), hash);
    }
    await call("PUT", `keys/${user}`, { ...SESSION, basic_auth_data: { password: "another" } });
    assert.ok(await compare("another", await stored()));
    const long = await call("POST", "keys/longpw", {
      ...SESSION,
      basic_auth_data: { password: "é".repeat(37) },
    });
    assert.deepEqual(
      [long.status, messageOf(long)],
      [400, "basic_auth_data.password has more than 72 bytes"],
    );
  });

  it("goes on with a running quota under suppress_reset=1, whatever the body says is left", async () => {
    const limits = { quota_max: 100, quota_renewal_rate: 3600 };
    const key = await create({ ...SESSION, ...limits });
    const counted = { ...(await read(key)), quota_remaining: 60 };
    const path = `${stack.url}/sessions/${key}?suppress_reset=1`;
    await fetch(path, { method: "PUT", body: JSON.stringify(counted) });
    const put = async (quota_max: number, query = "?suppress_reset=1") => {
      await call("PUT", `keys/${key}${query}`, { ...SESSION, ...limits, quota_max, quota_remaining: 7 });
      return (await read(key)).quota_remaining;
    };
    assert.equal(await put(100), 60);
    assert.equal(await put(200), 160, "40 are used");
    assert.equal(await put(30), undefined, "nothing is left");
    assert.equal(await put(-1), 7, "unlimited: as it is given");
    assert.equal(await put(100, ""), 100, "a reset fills it");
  });

  it("keeps the members of a newer gateway that a client does not send", async () => {
    const key = await create(SESSION);
    await stack.storeSession(key, { ...SESSION, of_tomorrow: { deep: [1] } } as Session);
    await call("PUT", `keys/${key}`, { ...SESSION, alias: "new" });
    assert.deepEqual(await stack.session(key), {
      ...(await read(key)),
      of_tomorrow: { deep: [1] },
    });
  });

  it("writes each of many changes at the same time on the one before it, or says that it did not", async () => {
    const key = await create(SESSION);
    const answers = await Promise.all(
      Array.from({ length: 6 }, (_, at) => call("PUT", `keys/${key}`, { ...SESSION, alias: `a${at}` })),
    );
    for (const answer of answers) assert.ok([200, 409].includes(answer.status), answer.text);
    assert.ok(answers.some(({ status }) => status === 200));
    assert.match((await read(key)).alias ?? "", /^a\d$/);
  });

  it("refuses what the table cannot hold, by the rules of every other write, and stores nothing of it", async () => {
    const nested = (depth: number) => JSON.parse(`${"[".repeat(depth)}${"]".repeat(depth)}`) as unknown;
    const CASES: [string, unknown, number, RegExp][] = [
      ["too long", { ...SESSION, alias: "x".repeat(390_000) }, 413, /at most 389120 characters/],
      ["too deep", { ...SESSION, meta_data: { a: nested(40) } }, 400, /^meta_data is nested deeper/],
      [
        "too large a number",
        `{"org_id":"${ORG}","access_rights":{"a":{}},"meta_data":{"n":1e200}}`,
        400,
        /^meta_data/,
      ],
      ["no JSON", "{", 400, /^Request malformed$/],
      ["a wrong type", { ...SESSION, expires: "soon" }, 400, /^Request malformed$/],
      [
        "a master key",
        { org_id: ORG },
        500,
        /^Failed to create key, ensure security settings are correct\.$/,
      ],
    ];
    for (const [name, body, status, message] of CASES) {
      const answer = await call("POST", "keys/unfit", body);
      assert.equal(answer.status, status, name);
      assert.match(messageOf(answer), message, name);
    }
    const long = `keys/${"k".repeat(3_000)}`;
    const tooLong = await call("POST", long, SESSION);
    assert.deepEqual([tooLong.status, messageOf(tooLong)], [400, "a key has 1 to 2048 bytes"]);
    assert.equal((await call("GET", long)).status, 404);
    assert.equal((await call("GET", `keys/unfit?org_id=${ORG}`)).status, 404);
  });

  it("takes any name that a gateway takes, and no slash", async () => {
    for (const name of ["naïve", "键值对", "a b+c", "quote\"'<>&", "%41", "constructor", "__proto__"]) {
      const path = `keys/${encodeURIComponent(name)}`;
      const made = await call("POST", path, SESSION);
      assert.deepEqual([made.status, (JSON.parse(made.text) as { key: string }).key], [200, ORG + name]);
      assert.equal((await call("GET", `${path}?org_id=${ORG}`)).status, 200);
      assert.equal((await call("DELETE", `${path}/?org_id=${ORG}`)).status, 200);
    }
    for (const path of ["keys/a%2Fb", "keys/a/b", "apis", "keysx", "org/keys/o"]) {
      const { status, text } = await call("GET", path);
      assert.deepEqual([status, text], [404, "404 page not found\n"], path);
    }
    const moved = await call("GET", "keys//%0d%0aSet-Cookie:%20a?x=1");
    assert.deepEqual(
      [moved.status, moved.headers.get("location")],
      [301, "/tyk/keys/%0D%0ASet-Cookie%3A%20a?x=1"],
    );
  });

  it("finds keys that handlers know by bare names, and lists an organisation's alone", async () => {
    const bare = `bare-${randomUUID()}`;
    await stack.storeSession(bare, { org_id: "demo-org", ...RIGHTS });
    assert.equal((await call("GET", `keys/${bare}`)).status, 200);
    const changed = await call("PUT", `keys/${bare}`, { org_id: "demo-org", ...RIGHTS, alias: "a" });
    assert.equal((JSON.parse(changed.text) as { key: string }).key, bare, changed.text);
    const listed = JSON.parse((await call("GET", "keys?filter=demo-org")).text) as { keys: string[] };
    assert.ok(listed.keys.includes(bare) && !listed.keys.some((key) => key.startsWith(ORG)));
    const all = JSON.parse((await call("GET", "keys")).text) as { keys: string[] };
    assert.ok(all.keys.includes(bare) && all.keys.length > listed.keys.length);
  });
});

describe("the key API without a secret", () => {
  it("is not there", async () => {
    const stack = await startTestStack();
    try {
      const answer = await ask(stack.url, "GET", "keys");
      assert.deepEqual([answer.status, answer.text.includes("path-unknown")], [404, true]);
    } finally {
      await stack.close();
    }
  });

  it("stays off for an empty one, and stops the start for a poor one and beside a gateway", () => {
    for (const KEYS_API_SECRET of [undefined, "", " , "])
      assert.equal(readKeysAuth({ KEYS_API_SECRET }), undefined);
    const stopped = (env: Record<string, string>, ...parts: string[]) =>
      assert.throws(
        () => readKeysAuth(env),
        (error: Error & { code?: string }) => {
          assert.equal(error.code, "setting-invalid");
          for (const part of ["KEYS_API_SECRET", ...parts])
            assert.ok(error.message.includes(part), error.message);
          return !error.message.includes("hunter2") && !error.message.includes(SECRET);
        },
      );
    stopped({ KEYS_API_SECRET: `${SECRET},hunter2` }, "16 characters");
    stopped({ KEYS_API_SECRET: SECRET, GATEWAY_URL: "http://gateway:8080" }, "GATEWAY_URL");
  });
});

describe("the key API on a table of any kind", () => {
  const logged: string[] = [];
  const note = (message: string, fields: object) => void logged.push(`${message} ${JSON.stringify(fields)}`);
  const unasked = () => assert.fail("not to be asked");
  const api = (deps: Partial<KeysDeps>) => {
    const store = { read: unasked, put: unasked, remove: unasked };
    const answer = createKeysApi({
      isSecret: () => true,
      store,
      byName: store,
      rows: { page: unasked },
      hashFunction: undefined,
      orgOf: async () => undefined,
      allowMasterKeys: false,
      newId: () => "0".repeat(32),
      now: () => 1_000_000,
      random: () => 0.5,
      log: { info: note, warn: note, error: note },
      ...deps,
    });
    return (request: Partial<KeysRequest>) =>
      answer({ method: "GET", path: "/tyk/keys", query: {}, secret: "", body: "", ...request });
  };
  const row = (key: string): SessionRow => ({
    key,
    stored: { session: SESSION, version: 1 },
    updatedAt: 0,
    ttl: 0,
    changedBy: undefined,
    orgId: ORG,
    alias: "",
    expires: 0,
  });
  const inMemory = () => {
    const table = new Map<string, Session>();
    const store = {
      read: async (key: string) => ({ session: table.get(key), version: table.has(key) ? 1 : -1 }),
      put: async (key: string, session: Session | undefined) => table.set(key, session as Session).size,
      remove: async (key: string) => table.delete(key),
    };
    return { table, store };
  };
  /** A table of so many pages with so many rows each, a page at so many read units. */
  const pages = (count: number, rowsOf: (page: number) => SessionRow[], units = 1) => ({
    async page(_search: Search, _limit: number, after?: Place) {
      const at = Number(after?.key ?? 0);
      const rows = rowsOf(at).map((row) => ({ ...row, place: { key: row.key } }));
      return { rows, looked: rows.length, next: at + 1 < count ? { key: at + 1 } : undefined, units };
    },
  });

  it("lists as many keys as it says, and refuses to list a part of more", async () => {
    const full = await api({
      rows: pages(10, (at) => Array.from({ length: 1_000 }, (_, n) => row(`${at}-${n}`))),
    })({});
    assert.equal((JSON.parse(full.body) as { keys: string[] }).keys.length, MAX_KEYS);
    const empty = await api({ rows: pages(10, () => [], MAX_UNITS / 10) })({});
    assert.deepEqual([empty.status, empty.body], [200, '{"keys":[]}\n']);
    const TOO_MANY = [
      pages(11, (at) => Array.from({ length: 1_000 }, (_, n) => row(`${at}-${n}`))),
      pages(11, () => [], MAX_UNITS / 10),
      pages(4, (at) => Array.from({ length: 1_000 }, (_, n) => row(`${at}-${n}`.padEnd(2_000, "x")))),
    ];
    for (const rows of TOO_MANY) {
      const { status, body } = await api({ rows })({});
      assert.equal(status, 400);
      assert.match(body, /\?filter=ORG_ID, or page by page with GET \/sessions\?org_id=ORG_ID/);
    }
  });

  it("says of a table that fails that it failed, not that a key is missing", async () => {
    const broken = async () => {
      throw new Error("the table is away");
    };
    const store = { read: broken, put: broken, remove: broken };
    const failing = api({ store, byName: store, rows: { page: broken } });
    const body = JSON.stringify(SESSION);
    for (const request of [
      { path: "/tyk/keys/k" },
      { path: "/tyk/keys/k", method: "PUT", body },
      { path: "/tyk/keys/k", method: "DELETE" },
      { path: "/tyk/keys/new", method: "POST", body },
      { path: "/tyk/keys" },
      { path: "/tyk/keys", query: { filter: ORG } },
    ]) {
      const answer = await failing(request);
      assert.equal(answer.status, 500);
      assert.equal(answer.body, '{"status":"error","message":"the request failed; the log says why"}\n');
    }
    assert.ok(logged.every((line) => line.includes("the table is away")));
  });

  it("answers for a key that goes while it is changed as for one that was never there", async () => {
    let reads = 0;
    const read = async () => ({ session: reads++ === 0 ? SESSION : undefined, version: 1 });
    const store = { read, put: async () => unasked(), remove: async () => unasked() };
    const request = { path: `/tyk/keys/${ORG}k`, body: JSON.stringify(SESSION) };
    assert.equal((await api({ store })({ ...request, method: "PUT" })).status, 404);
    reads = 0;
    assert.equal((await api({ store })({ ...request, method: "DELETE" })).status, 404);
  });

  it("changes nothing by a put of what was read, under suppress_reset=1", async () => {
    const table = inMemory();
    const answer = api({ store: table.store, byName: table.store });
    await fc.assert(
      fc.asyncProperty(
        anySession,
        async ({ basic_auth_data: _, apply_policies: _p, apply_policy_id: _i, ...given }) => {
          const path = `/tyk/keys/${ORG}known`;
          const body = JSON.stringify({ ...given, org_id: ORG, ...RIGHTS });
          // A period that ends beyond 2^53 is refused.
          fc.pre((await answer({ method: "POST", path, body })).status === 200);
          const before = await answer({ path });
          const query = { suppress_reset: "1" };
          assert.equal((await answer({ method: "PUT", path, query, body: before.body })).status, 200);
          assert.equal((await answer({ path })).body, before.body);
        },
      ),
    );
  });

  it("has an answer of its own for whatever comes, and never fails", async () => {
    const { table, store } = inMemory();
    const answer = api({ store, byName: store, rows: pages(1, () => [...table.keys()].map(row)) });
    const text = fc.string({ unit: "binary", maxLength: 30 });
    const segment = fc.oneof(text, fc.constantFrom("keys", "create", "preview", ".", "..", "", "known"));
    const session = fc.oneof(
      fc.json(),
      text,
      // Without a password: each takes bcrypt a tenth of a second.
      anySession.map(({ basic_auth_data: _, ...given }) => JSON.stringify({ ...given, ...RIGHTS })),
      fc.constant(JSON.stringify(SESSION)),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom("GET", "POST", "PUT", "DELETE", "PATCH", "HEAD"),
        fc.array(segment, { maxLength: 3 }),
        fc.dictionary(
          fc.constantFrom("org_id", "hashed", "username", "suppress_reset", "api_id", "filter"),
          text,
        ),
        session,
        async (method, segments, query, body) => {
          const path = ["/tyk/keys", ...segments].join("/").toWellFormed();
          const { status, headers, body: said } = await answer({ method, path, query, body });
          if (status === 301) return assert.match(headers.location ?? "", /^[\x21-\x7e]+$/);
          if (said === "404 page not found\n") return assert.equal(status, 404);
          const { message } = JSON.parse(said) ?? {};
          if (status === 500) assert.match(message, /^(Unmarshalling failed|Failed to create key)/);
          else assert.ok([200, 400, 404, 405, 413].includes(status), `${status} ${said}`);
        },
      ),
      { numRuns: 2_000 },
    );
    assert.ok(table.size > 0);
  });

  it("makes a master key where those are allowed", async () => {
    const puts: (Session | undefined)[] = [];
    const store = {
      read: async () => ({ session: undefined, version: -1 }),
      put: async (_key: string, session: Session | undefined) => puts.push(session),
      remove: unasked,
    };
    const made = await api({ store, allowMasterKeys: true })({
      path: "/tyk/keys/create",
      method: "POST",
      body: "{}",
    });
    assert.equal(made.status, 200);
    assert.equal(puts[0]?.date_created, "1970-01-01T00:16:40Z");
  });
});
