// The API of the console: each route, and who is kept away from it.
import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { request as httpRequest, type IncomingMessage } from "node:http";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { after, before, describe, it } from "node:test";
import type { WholeEvent } from "../../console/answers.ts";
import type { EventRow } from "../../lib/history/event-rows.ts";
import { type AttemptOutcome, FORMAT, type HistoryLine } from "../../lib/history/records.ts";
import { parsedJson } from "../../lib/json.ts";
import { createHistoryIndex } from "../../local/console/history-index.ts";
import { OPENAPI } from "../../local/console/openapi.ts";
import { listReleases } from "../../local/console/releases.ts";
import { startConsole } from "../../local/console/serve.ts";
import { askApp, HOST, startTestConsole, type TestConsole } from "../helpers/console.ts";
import { definition, handler, newFolder, writeFiles } from "../helpers/dev.ts";

const MOVE = `var session = JSON.parse(TykGetKeyData(event.Meta.Key, context.APIID));
session.expires += 10; log("moved " + event.Meta.Key);
TykSetKeyData(event.Meta.Key, JSON.stringify(session), 1);`;
const SESSION = {
  rate: 1,
  per: 1,
  expires: 4_000_000_000,
  org_id: "shop",
  access_rights: { shop: { api_id: "shop" } },
};

/** With a value for each parameter of a path. */
const ROUTES = Object.entries(OPENAPI.paths).flatMap(([path, methods]) =>
  Object.keys(methods).map(
    (method) =>
      [method.toUpperCase(), path.replaceAll(/\{n\}/g, "1").replaceAll(/\{\w+\}/g, "last")] as const,
  ),
);

describe("the console's API", () => {
  let own: TestConsole;
  const ask: TestConsole["ask"] = (...args) => own.ask(...args);
  before(async () => {
    own = await startTestConsole(
      await newFolder({
        "apis/shop.json": definition("shop", { KeyExpired: "move", HostDown: "fails", QuotaExceeded: "say" }),
        "handlers/move.js": handler("move", MOVE),
        "handlers/fails.js": handler("fails", '\nthrow new TypeError("no plan");'),
        "handlers/say.js": handler("say", "log(event.Meta.Key);"),
      }),
    );
  });
  after(() => own.close());

  /** Sends an event, and waits until it is recorded with this outcome. */
  async function sent(
    Type: string,
    Meta: Record<string, unknown>,
    outcome: EventRow["outcome"] = "done",
  ): Promise<EventRow> {
    const { status, json } = await ask("POST", "/events", {
      events: [{ api_id: "shop", event: { Type, Meta } }],
    });
    assert.equal(status, 202);
    return recorded(json.ids[0], outcome);
  }
  function recorded(id: string, outcome: EventRow["outcome"]): Promise<EventRow> {
    const index = own.backend.history?.index;
    return new Promise((resolve) => {
      const look = () => {
        const row = index?.events().find(({ row }) => row.id === id)?.row;
        if (row?.outcome !== outcome) return;
        stop?.();
        resolve(row);
      };
      const stop = index?.listen(look);
      look();
    });
  }
  /** A job at its end. */
  async function over(job: { id: string }) {
    for (;;) {
      const { json } = await ask("GET", `/jobs/${job.id}`);
      if (json.state !== "running") return json;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
  const put = (key: string, session: object = SESSION) => own.stack.storeSession(key, session as never);

  describe("who may ask", () => {
    const STRANGERS: Record<string, [headers: Record<string, string>, status: number]> = {
      "without a token": [{ authorization: "" }, 401],
      "with another token": [{ authorization: `Bearer ${"x".repeat(43)}` }, 401],
      "by a name that resolves here": [{ host: "evil.example:3000" }, 421],
      "by another port": [{ host: "127.0.0.1:3001" }, 421],
      "by a name that begins like loopback": [{ host: "127.0.0.1.evil.example:3000" }, 421],
      "from a page of elsewhere": [{ origin: "https://evil.example" }, 403],
      "from a page without an origin": [{ origin: "null" }, 403],
      "from another site": [{ "sec-fetch-site": "cross-site" }, 403],
      "from a page of another port": [{ "sec-fetch-site": "same-site" }, 403],
    };
    for (const [who, [headers, status]] of Object.entries(STRANGERS))
      it(`nobody ${who}, at any route`, async () => {
        for (const [method, path] of ROUTES) {
          const answer = await ask(method, path, method === "GET" ? undefined : {}, headers);
          assert.equal(answer.status, status, `${method} ${path}`);
          assert.equal(answer.headers.get("access-control-allow-origin"), null);
        }
      });

    it("the own page, and a program, at each of the three names", async () => {
      for (const host of [HOST, "localhost:3000", "[::1]:3000"])
        for (const headers of [{}, { origin: `http://${host}`, "sec-fetch-site": "same-origin" }])
          assert.equal((await ask("GET", "/state", undefined, { host, ...headers })).status, 200, host);
    });

    it("each route that openapi.json tells is there", async () => {
      assert.deepEqual(
        (await ask("GET", "/openapi.json")).json.paths,
        JSON.parse(JSON.stringify(OPENAPI.paths)),
      );
      for (const [method, path] of ROUTES.filter(([, path]) => path !== "/tail")) {
        const { json } = await ask(method, path, method === "GET" ? undefined : {});
        assert.notEqual(json?.error?.code, "path-unknown", `${method} ${path}`);
      }
      assert.equal((await ask("GET", "/nothing")).json.error.code, "path-unknown");
    });

    it("without write nothing can be changed, and all can be looked at", async () => {
      const app = await own.with({ about: { ...own.backend.about, write: false } });
      const looks = [
        "/events/check",
        "/sessions/compare",
        "/selections",
        "/dead-letters/sweep",
        "/events/last/rerun",
        "/releases/last/try",
        "/dead-letters/try",
      ];
      for (const [method, path] of ROUTES.filter(([, path]) => path !== "/tail")) {
        const { json } = await askApp(app, method, path, method === "GET" ? undefined : {});
        const isChange = method !== "GET" && !looks.includes(path);
        assert.equal(
          json?.error?.code === "read-only",
          isChange,
          `${method} ${path}: ${JSON.stringify(json)}`,
        );
      }
      // A session may be called as a way to look is.
      for (const key of ["compare", "selections", "try", "rerun"])
        for (const method of ["PUT", "DELETE"]) {
          const { json } = await askApp(app, method, `/sessions/${key}`, {});
          assert.equal(json?.error?.code, "read-only", `${method} ${key}`);
        }
    });

    it("a request without a body, as browsers delete with, and no body of unknown or too large size", async () => {
      await put("over-http");
      const etag = (await ask("GET", "/sessions/over-http")).headers.get("etag") ?? "";
      const token = "t".repeat(43);
      const served = await startConsole(own.backend, token, 0);
      const send = async (method: string, path: string, headers: Record<string, string>, body?: string) => {
        const request = httpRequest(`${served.url}/console/api/v1${path}`, {
          method,
          headers: { authorization: `Bearer ${token}`, ...headers },
          // The connection of a body that was not read ends with its answer.
          agent: false,
        });
        request.on("error", () => {}).end(body);
        const [answer] = (await once(request, "response")) as [IncomingMessage];
        const json = parsedJson(await text(answer)) as { error?: { code: string; field?: string } };
        return [answer.statusCode, json.error?.code, json.error?.field];
      };
      const compare = "/sessions/compare";
      const chunked = { "transfer-encoding": "chunked" };
      const deep = `${'{"a":'.repeat(20_000)}1${"}".repeat(20_000)}`;
      const three = `{"base":${deep},"mine":{},"theirs":{}}`;
      const large = { "content-length": String(5 * 1024 * 1024) };
      const got = [
        await send("POST", compare, chunked, "{}"),
        await send("POST", compare, large),
        await send("POST", compare, { "content-length": String(three.length) }, three),
        await send("DELETE", "/sessions/over-http", { "if-match": etag }),
        await send("GET", "/sessions/over-http", {}),
      ];
      await served.close();
      assert.deepEqual(got, [
        [400, "request-invalid", "transfer-encoding"],
        [413, "event-too-large", undefined],
        [400, "request-invalid", undefined],
        [200, undefined, undefined],
        [404, "session-missing", "key"],
      ]);
    });

    it("the page is open to whoever may ask, and lets nothing else in", async () => {
      for (const path of ["/console", "/console/events/x", "/console/page.js", "/console/page.css"]) {
        const answer = await own.app.request(`http://${HOST}${path}`, { headers: { host: HOST } });
        assert.equal(answer.status, 200, path);
        const policy = answer.headers.get("content-security-policy") ?? "";
        assert.match(
          policy,
          /default-src 'none'.*frame-ancestors 'none'.*require-trusted-types-for 'script'/,
        );
        assert.doesNotMatch(policy, /unsafe|\*|https?:|data:/);
        assert.equal(answer.headers.get("x-content-type-options"), "nosniff");
        assert.equal(answer.headers.get("cache-control"), "no-store");
        assert.doesNotMatch(await answer.text(), /<script>|<style|\son\w+=/);
      }
      const strange = await own.app.request(`http://${HOST}/console`, { headers: { host: "evil.example" } });
      assert.equal(strange.status, 421);
    });
  });

  describe("events", () => {
    it("lists what a filter fits, page by page, the newest first", async () => {
      for (const Key of ["p-1", "p-2", "p-3"]) await sent("QuotaExceeded", { Key });
      const first = await ask("GET", "/events?q=type:QuotaExceeded&limit=2");
      assert.deepEqual(
        first.json.events.map(({ key }: EventRow) => key),
        ["p-3", "p-2"],
      );
      assert.equal(first.json.found, 3);
      const { json } = await ask("GET", `/events?q=type:QuotaExceeded&limit=2&cursor=${first.json.cursor}`);
      assert.deepEqual([json.events.map(({ key }: EventRow) => key), json.cursor], [["p-1"], null]);
    });

    it("finds a text that stands in a log line, a body or a session", async () => {
      await sent("QuotaExceeded", { Key: "needle-in-a-log" });
      const found = async (q: string) => (await ask("GET", `/events?q=${encodeURIComponent(q)}`)).json.found;
      assert.deepEqual([await found('"NEEDLE-in"'), await found('"nothing like that"')], [1, 0]);
    });

    it("refuses a word that is none, a cursor of elsewhere, and parameters that it does not know", async () => {
      for (const [path, field] of [
        ["/events?q=typ:x", undefined],
        ["/events?q=%22open", undefined],
        ["/events?cursor=nonsense", "cursor"],
        ["/events?limit=0", "limit"],
        ["/events?limit=abc", "limit"],
        ["/events?filter=x", "filter"],
        ["/tail?q=typ:x", undefined],
      ] as const) {
        const { status, json } = await ask("GET", path);
        assert.deepEqual([status, json.error.code, json.error.field], [400, "request-invalid", field], path);
      }
    });

    it("tells all of one event: calls, logs, and what changed in its session, and its neighbours of one key", async () => {
      await put("one-key");
      const before = await sent("KeyExpired", { Key: "one-key" });
      const row = await sent("KeyExpired", { Key: "one-key" });
      const { json } = (await ask("GET", `/events/${row.id}?api=shop`)) as { json: WholeEvent };
      const [run] = json.attempts[0]?.runs ?? [];
      assert.deepEqual(
        run?.calls.map(({ verb, text }) => `${verb} ${text}`.replace(/ \(.*/, "")),
        ["read one-key", "set one-key"],
      );
      assert.deepEqual(run?.writes[0]?.changes, [
        { name: "expires", before: 4_000_000_010, after: 4_000_000_020 },
      ]);
      assert.ok(run?.logs.some(({ text }) => text === "moved one-key"));
      assert.deepEqual([json.previous?.id, json.next], [before.id, null]);
      const one = await ask("GET", `/events/${row.id}/attempts/1`);
      assert.equal(one.json.outcome, "done");
      assert.equal((await ask("GET", `/events/${row.id}/attempts/7`)).json.error.code, "event-missing");
      assert.equal((await ask("GET", "/events/nobody")).status, 404);
    });

    it("shows where a handler failed, with the lines of the release that ran", async () => {
      const row = await sent("HostDown", {}, "failed");
      const { json } = (await ask("GET", `/events/${row.id}`)) as { json: WholeEvent };
      const frame = json.attempts[0]?.runs[0]?.frame;
      assert.deepEqual(
        [frame?.path, frame?.line, frame?.file],
        ["fails.js", 4, join(own.dir, "handlers/fails.js")],
      );
      assert.match(frame?.lines.find(({ number }) => number === 4)?.text ?? "", /throw new TypeError/);
    });

    it("has what ingest refused, which has no attempt", async () => {
      await own.stack.post("shop", '{"event":{"Type":7}}');
      const refused = await recordedRefusal();
      const { json } = await ask("GET", `/events/${encodeURIComponent(refused.id)}?api=shop`);
      assert.deepEqual([json.row.reason, json.attempts], ["event-invalid", []]);
      assert.equal((await ask("POST", `/events/${refused.id}/send`, {})).status, 404);
    });
    async function recordedRefusal(): Promise<EventRow> {
      for (;;) {
        const { json } = await ask("GET", "/events?q=outcome:refused");
        if (json.events[0]) return json.events[0];
        await new Promise((resolve) => setImmediate(resolve));
      }
    }

    it("exports the event as the command line saves it, and writes a test below tests/, never over one", async () => {
      await put("t-1");
      const { id } = await sent("KeyExpired", { Key: "t-1" });
      const exported = await ask("GET", `/events/${id}/export`);
      assert.equal(exported.json.expect.sessions["t-1"].expires, 4_000_000_010);
      const { status, json } = await ask("POST", "/tests", { event: id, api: "shop", name: "first" });
      assert.deepEqual([status, json.path], [201, "tests/move/first.json"]);
      assert.deepEqual(JSON.parse(readFileSync(join(own.dir, json.path), "utf8")), exported.json);
      for (const name of ["first", "../x", "a/b", "", "."]) {
        const again = await ask("POST", "/tests", { event: id, api: "shop", name });
        assert.deepEqual([again.status, again.json.error.field], [400, "name"], name);
      }
    });

    it("sends an event again under another id, also changed, and says what is wrong with one", async () => {
      const { id } = await sent("QuotaExceeded", { Key: "again" });
      const { json } = await ask("POST", `/events/${id}/send?api=shop`, {});
      assert.notEqual(json.id, id);
      assert.equal((await recorded(json.id, "done")).key, "again");
      const edit = { Type: "QuotaExceeded", Meta: { Key: "edited" } };
      const edited = await ask("POST", `/events/${id}/send?api=shop`, { edit });
      assert.equal((await recorded(edited.json.id, "done")).key, "edited");
      for (const body of [
        {},
        { events: [] },
        { events: [{ event: edit }] },
        { events: [{ api_id: "shop", event: { Type: 7 } }] },
        { events: [{ api_id: "shop", event: edit }], times: 1_001 },
        { events: [{ api_id: "shop", event: edit }], rate: 0 },
      ])
        assert.equal((await ask("POST", "/events", body)).status, 400, JSON.stringify(body));
      assert.equal((await ask("POST", "/events", "{")).json.error.code, "json-invalid");
      assert.deepEqual(
        (await ask("POST", "/events/check", { events: [{ api_id: "shop", event: edit }] })).json,
        { ok: true },
      );
    });

    it("has a sample of each type, and who handles it", async () => {
      const { json } = await ask("GET", "/types?api=shop&key=k");
      const types = new Map(json.types.map((each: { type: string }) => [each.type, each]));
      const expired = types.get("KeyExpired") as { handlers: object[]; sample: { Meta: { Key: string } } };
      assert.deepEqual(
        [expired.handlers, expired.sample.Meta.Key],
        [[{ api_id: "shop", name: "move" }], "k"],
      );
      assert.equal(json.types.length, 24);
    });
  });

  describe("the stream", () => {
    async function follow(path: string) {
      const stop = new AbortController();
      const answer = await own.app.request(`http://${HOST}/console/api/v1${path}`, {
        headers: { host: HOST, authorization: `Bearer ${"t".repeat(43)}` },
        signal: stop.signal,
      });
      const reader = answer.body?.pipeThrough(new TextDecoderStream()).getReader();
      let text = "";
      return {
        /** The next message that fits. */
        async until(fits: (message: Record<string, unknown>) => boolean): Promise<Record<string, unknown>> {
          for (;;) {
            const end = text.indexOf("\n\n");
            if (end >= 0) {
              const part = text.slice(0, end);
              text = text.slice(end + 2);
              const data = /^data: (.*)$/m.exec(part)?.[1];
              if (data && fits(JSON.parse(data)))
                return { ...JSON.parse(data), id: /^id: (.*)$/m.exec(part)?.[1] };
              continue;
            }
            const { done, value } = (await reader?.read()) ?? { done: true };
            assert.ok(!done, "the stream ended");
            text += value;
          }
        },
        end: () => reader?.cancel(),
      };
    }
    const has =
      (key: string, name: "rows" | "left" = "rows") =>
      (message: Record<string, unknown>) =>
        message.type === "rows" && (message[name] as EventRow[]).some((row) => row.key === key);

    it("tells rows that the filter fits as they change, and of none else", async () => {
      const { json } = await ask("GET", "/events?limit=1");
      const stream = await follow(`/tail?q=key:s-1&since=${json.position}`);
      await sent("QuotaExceeded", { Key: "s-other" });
      await sent("QuotaExceeded", { Key: "s-1" });
      const { rows } = await stream.until(has("s-1"));
      assert.deepEqual(
        (rows as EventRow[]).map(({ key }) => key),
        ["s-1"],
      );
      await stream.end();
    });

    it("goes on after a break where it was, and says reset where it cannot", async () => {
      const { json } = await ask("GET", "/events?limit=1");
      await sent("QuotaExceeded", { Key: "missed" });
      const stream = await follow(`/tail?since=${json.position}`);
      assert.ok(await stream.until(has("missed")));
      await stream.end();
      const other = await follow("/tail?since=00000000-1");
      assert.ok(await other.until(({ type }) => type === "reset"));
      await other.end();
    });

    it("finds a text in what comes", async () => {
      const { json } = await ask("GET", "/events?limit=1");
      const stream = await follow(`/tail?q=${encodeURIComponent('"hay-7"')}&since=${json.position}`);
      await sent("QuotaExceeded", { Key: "hay-7" });
      assert.ok(await stream.until(has("hay-7")));
      await stream.end();
    });

    it("tells of counts and of another release", async () => {
      const stream = await follow("/tail");
      assert.ok(await stream.until(({ type }) => type === "counts"));
      await own.release([{ path: "handlers/say.js", text: handler("say", "log('another');") }]);
      const { release } = await stream.until(({ type }) => type === "release");
      assert.equal((release as { version: string }).version, await own.stack.releases.liveVersion());
      await stream.end();
    });

    it("only counts what comes faster than somebody can look", async () => {
      const { json } = await ask("GET", "/events?limit=1");
      const stream = await follow(`/tail?since=${json.position}`);
      const history = own.backend.history;
      assert.ok(history);
      const at = new Date().toISOString();
      const { appendFileSync, readdirSync } = await import("node:fs");
      const folder = join(own.dir, ".gatehook/history");
      const [file = ""] = readdirSync(folder)
        .filter((name) => name.endsWith(".jsonl"))
        .slice(-1);
      const lines = Array.from({ length: 3_000 }, (_, n) =>
        JSON.stringify({ history: 1, received: { id: `burst-${n}`, api_id: "shop", type: "X", at } }),
      );
      appendFileSync(join(folder, file), `${lines.join("\n")}\n`);
      await history.index.refresh();
      const { count } = await stream.until(({ type }) => type === "behind");
      assert.ok(Number(count) > 1_000);
      await stream.end();
    });
  });

  describe("sessions", () => {
    it("reads, writes and deletes one, only over the version that was read", async () => {
      const key = "a/b c";
      const path = `/sessions/${encodeURIComponent(key)}`;
      await put(key);
      const read = await ask("GET", path);
      const etag = read.headers.get("etag") ?? "";
      assert.deepEqual([read.status, read.json.expires], [200, 4_000_000_000]);
      const body = { ...read.json, rate: 7 };
      assert.equal((await ask("PUT", path, body)).json.error.field, "if-match");
      assert.equal((await ask("DELETE", path)).json.error.field, "if-match");
      assert.equal((await ask("PUT", path, body, { "if-match": etag })).status, 200);
      assert.equal((await ask("PUT", path, body, { "if-match": etag })).status, 412);
      assert.equal((await ask("PUT", path, '{"rate":"x"}', { "if-match": '"2"' })).status, 400);
      assert.equal((await ask("DELETE", path, undefined, { "if-match": etag })).status, 412);
      assert.equal((await ask("DELETE", path, undefined, { "if-match": '"2"' })).status, 200);
      assert.equal((await ask("GET", path)).status, 404);
    });

    it("writes down that it was the console, and makes a session only where there is none", async () => {
      const make = () => ask("PUT", "/sessions/by-page", SESSION, { "if-none-match": "*" });
      assert.deepEqual([(await make()).status, (await make()).status], [201, 412]);
      const { json } = await ask("GET", "/sessions?org_id=shop&limit=100");
      const found = json.sessions.find(({ key }: { key: string }) => key === "by-page");
      assert.deepEqual(found.changed_by, { by: "console" });
    });

    it("lists those of an organisation, and passes on what the list refuses", async () => {
      await own.stack.clients.dynamo.send(await sessionPut("listed"));
      const { json } = await ask("GET", "/sessions?org_id=shop&limit=100");
      assert.ok(
        json.sessions.some(({ key }: { key: string }) => key === "listed"),
        JSON.stringify(json),
      );
      assert.equal((await ask("GET", "/sessions")).status, 400);
    });
    async function sessionPut(key: string) {
      const { PutCommand } = await import("@aws-sdk/lib-dynamodb");
      const { sessionItem } = await import("../../lib/sessions/item.ts");
      return new PutCommand({
        TableName: own.stack.resources.SESSIONS_TABLE,
        Item: sessionItem(key, SESSION as never, 1, 0),
      });
    }

    it("tells what events did to it, the newest first", async () => {
      await put("h-1");
      await sent("KeyExpired", { Key: "h-1" });
      const { id } = await sent("KeyExpired", { Key: "h-1" });
      const { json } = await ask("GET", "/sessions/h-1/history");
      assert.deepEqual(
        [json.changes.length, json.changes[0].event.id, json.changes[0].handler],
        [2, id, "move"],
      );
      assert.deepEqual(json.changes[0].changes, [
        { name: "expires", before: 4_000_000_010, after: 4_000_000_020 },
      ]);
    });

    it("compares what two made of one", async () => {
      const body = { base: { a: 1, b: 1 }, mine: { a: 2, b: 1 }, theirs: { a: 1, b: 2 } };
      assert.deepEqual((await ask("POST", "/sessions/compare", body)).json.merged, { a: 2, b: 2 });
      assert.equal((await ask("POST", "/sessions/compare", { base: 1 })).status, 400);
    });
  });

  describe("releases", () => {
    it("lists them with what their events came to, and tells two apart", async () => {
      const before = await own.stack.releases.liveVersion();
      await sent("QuotaExceeded", { Key: "r" });
      await own.release([{ path: "handlers/say.js", text: handler("say", "log('third');") }]);
      const { json } = await ask("GET", "/releases");
      assert.equal(json.live, await own.stack.releases.liveVersion());
      assert.ok(json.releases.find(({ version }: { version: string }) => version === before).runs > 0);
      const diff = await ask("GET", `/releases/${before}/diff/live`);
      assert.deepEqual(
        diff.json.parts.map(({ kind, name, what }: Record<string, string>) => [kind, name, what]),
        [["script", "say.js", "changed"]],
      );
      assert.ok(diff.json.parts[0].lines.some((line: string) => /\+ .*third/.test(line)));
      assert.equal((await ask("GET", "/releases/nothing/diff/live")).json.error.code, "release-missing");
    });

    it("counts each attempt for the release that it ran on, also where its event was done on another", async () => {
      const attempt = (n: number, release: string, outcome: AttemptOutcome) => ({
        history: FORMAT,
        attempt: {
          id: "e",
          api_id: "shop",
          n,
          at: `2026-01-01T00:00:0${n}Z`,
          ms: 1,
          container: "",
          isolation: "event",
          release,
          outcome,
          event: { Type: "KeyExpired", Meta: {}, TimeStamp: "" },
          runs: [],
        },
      });
      const lines = [
        attempt(1, "bad", "failed"),
        attempt(2, "bad", "handed-back"),
        attempt(3, "good", "done"),
      ];
      async function* readPlaced() {
        for (const line of lines)
          yield { line: line as HistoryLine, place: { file: "", offset: 0, bytes: 0 } };
      }
      const index = createHistoryIndex({ readPlaced, files: () => [""] } as never);
      await index.refresh();
      const store = {
        pointer: async () => ({}),
        history: async () => [{ version: "good" }, { version: "bad" }],
      };
      const { releases } = await listReleases({ store } as never, { history: { index } } as never);
      assert.deepEqual(
        releases.map(({ version, runs, failed }) => [version, runs, failed]),
        [
          ["good", 1, 0],
          ["bad", 1, 1],
        ],
      );
    });

    it("goes back to one that was live, only from the one that was seen", async () => {
      const [first, second] = (await ask("GET", "/releases")).json.releases;
      const path = `/releases/${second.version}/rollback`;
      assert.equal((await ask("POST", path, {})).json.error.field, "expect_live");
      assert.equal((await ask("POST", path, { expect_live: second.version })).status, 409);
      const { status, json } = await ask("POST", path, { expect_live: first.version });
      assert.deepEqual([status, json.to], [200, second.version]);
      assert.equal(await own.stack.releases.liveVersion(), second.version);
    });

    it("tells of the upload that was refused", async () => {
      await own.release([{ path: "handlers/say.js", text: "var (" }]);
      const { release } = (await ask("GET", "/state")).json;
      assert.match(release.trouble.error, /handlers\/say\.js:1: /);
      assert.deepEqual(
        [release.trouble.result, release.version === release.trouble.version],
        ["refused", false],
      );
    });
  });

  describe("dead letters", () => {
    const letter = (id: string, reason: string) => ({
      MessageBody: JSON.stringify({
        id,
        api_id: "shop",
        event: { Type: "QuotaExceeded", Meta: { Key: id } },
      }),
      MessageAttributes: {
        reason: { DataType: "String", StringValue: reason },
        error: { DataType: "String", StringValue: `${reason} of ${id}1` },
      },
    });
    async function lay(id: string, reason: string) {
      const { SendMessageCommand } = await import("@aws-sdk/client-sqs");
      const QueueUrl = own.stack.resources.DEAD_LETTERS_QUEUE_URL;
      await own.stack.clients.sqs.send(new SendMessageCommand({ QueueUrl, ...letter(id, reason) }));
    }
    it("acts on what was selected, and not on what came since, and once", async () => {
      await Promise.all([
        lay("d-1", "handler-threw"),
        lay("d-2", "handler-threw"),
        lay("d-3", "api-unknown"),
      ]);
      assert.equal((await ask("GET", "/dead-letters")).json.visible, 3);
      const sweep = await over((await ask("POST", "/dead-letters/sweep")).json);
      assert.deepEqual([sweep.state, sweep.read, sweep.complete], ["done", 3, true]);
      const threw = sweep.groups.find(({ reason }: { reason: string }) => reason === "handler-threw");
      const gone = sweep.groups.find(({ reason }: { reason: string }) => reason === "api-unknown");
      const selected = await ask("POST", "/selections", { group: threw.group });
      assert.deepEqual([selected.status, selected.json.count], [201, 2]);
      await lay("d-4", "handler-threw");
      const { selection } = selected.json;
      assert.equal(
        (await ask("POST", "/dead-letters/redrive", { selection, rate: 0 })).json.error.field,
        "rate",
      );
      const job = await over((await ask("POST", "/dead-letters/redrive", { selection, rate: 1_000 })).json);
      assert.deepEqual([job.state, job.done, job.total, job.failed], ["done", 2, 2, 0]);
      await Promise.all([recorded("d-1", "done"), recorded("d-2", "done")]);
      assert.equal(
        (await ask("POST", "/dead-letters/redrive", { selection, rate: 5 })).json.error.field,
        "selection",
      );
      const other = (await ask("POST", "/selections", { group: gone.group })).json.selection;
      const deleted = await over((await ask("POST", "/dead-letters/delete", { selection: other })).json);
      assert.deepEqual([deleted.done, deleted.failed], [1, 0]);
      const left = await over((await ask("POST", "/dead-letters/sweep")).json);
      assert.deepEqual([left.read, left.groups[0].event_id], [1, "d-4"]);
    });

    it("refuses a group that is not there, and runs one job at a time", async () => {
      assert.equal((await ask("POST", "/selections", { group: "nothing" })).status, 404);
      assert.equal((await ask("POST", "/selections", {})).json.error.field, "group");
      assert.equal((await ask("POST", "/selections", { events: [1] })).json.error.field, "events");
      const first = await ask("POST", "/dead-letters/sweep");
      assert.equal((await ask("POST", "/dead-letters/sweep")).status, 400);
      const { json } = await ask("DELETE", `/jobs/${first.json.id}`);
      assert.equal(json.id, first.json.id);
      assert.equal((await over(first.json)).state, "stopped");
      assert.equal((await ask("GET", "/jobs/nothing")).status, 400);
    });
  });

  describe("reruns", () => {
    it("runs an event again on the files of the folder, dry, and tells step by step what differs", async () => {
      await put("rr-1");
      const { id } = await sent("KeyExpired", { Key: "rr-1" });
      const same = await ask("POST", `/events/${id}/rerun?api=shop`, { release: "working" });
      assert.deepEqual([same.status, same.json.verdict, same.json.diverged_at], [200, "same", null]);
      await writeFiles(own.dir, { "handlers/move.js": handler("move", MOVE.replace("10", "20")) });
      const { json } = await ask("POST", `/events/${id}/rerun?api=shop`, { release: "working" });
      assert.equal(json.verdict, "differs");
      const first = json.diff[json.diverged_at];
      assert.equal(first.same, false);
      assert.deepEqual(
        [json.then, json.now].map(({ outcome }: { outcome: string }) => outcome),
        ["done", "done"],
      );
      assert.equal(((await own.stack.session("rr-1")) as { expires: number }).expires, 4_000_000_010);
      const onThen = await ask("POST", `/events/${id}/rerun?api=shop`, { release: json.then.release });
      assert.equal(onThen.json.verdict, "same");
      await writeFiles(own.dir, { "handlers/move.js": handler("move", MOVE) });
    });

    it("runs another event on what is recorded of one, which is never exact, and sends nothing", async () => {
      await put("rr-edit");
      const { id } = await sent("KeyExpired", { Key: "rr-edit" });
      const count = own.backend.history?.index.events().length;
      const edit = { Type: "HostDown", Meta: {} };
      const { status, json } = await ask("POST", `/events/${id}/rerun`, { release: "working", edit });
      assert.deepEqual([status, json.verdict, json.exact, json.grade], [200, "fails", false, "inputs"]);
      assert.match(json.now.error, /no plan/);
      assert.ok(json.why.includes("its event was changed"));
      assert.equal(own.backend.history?.index.events().length, count);
      const refused = await ask("POST", `/events/${id}/rerun`, { edit: { Type: 1 } });
      assert.deepEqual([refused.status, refused.json.error.code], [400, "event-invalid"]);
    });

    it("refuses what is no release, no way to ask, and an event for which no handler ran", async () => {
      const { id } = await sent("QuotaExceeded", { Key: "rr-2" });
      for (const [body, code] of [
        [{ release: "" }, "request-invalid"],
        [{ http: "maybe" }, "request-invalid"],
        [{ release: "0000000000000000" }, "release-missing"],
      ] as const)
        assert.equal((await ask("POST", `/events/${id}/rerun`, body)).json.error.code, code);
      const refused = (await ask("GET", "/events?q=outcome:refused")).json.events[0];
      assert.equal((await ask("POST", `/events/${refused.id}/rerun`, {})).json.error.code, "not-recorded");
    });

    it("pins events, and tells of them", async () => {
      const { id } = await sent("QuotaExceeded", { Key: "rr-3" });
      const { json } = await ask("POST", `/events/${id}/pin?api=shop`, { on: true });
      assert.deepEqual(
        json.pins.map((pin: { id: string }) => pin.id),
        [id],
      );
      assert.deepEqual((await ask("GET", "/state")).json.pins, json.pins);
      assert.deepEqual((await ask("POST", `/events/${id}/pin?api=shop`, { on: false })).json.pins, []);
      assert.equal((await ask("POST", `/events/${id}/pin?api=shop`, { on: "yes" })).json.error.field, "on");
    });

    it("tries a release on the newest events, and tells those that do not do the same", async () => {
      const live = await own.stack.releases.liveVersion();
      for (const n of [1, 2, 3]) await sent("QuotaExceeded", { Key: `try-${n}` });
      const { status, json } = await ask("POST", `/releases/${live}/try`, { last: 3 });
      assert.equal(status, 202);
      const job = await over(json);
      assert.deepEqual([job.state, job.read, job.done, job.tried], ["done", 3, 3, []]);
      assert.equal((await ask("POST", `/releases/${live}/try`, { last: 0 })).json.error.field, "last");
      assert.equal((await ask("POST", "/dead-letters/try", {})).json.error.field, "group");
    });
  });

  it("the overview has figures of a time, and no secret is among the settings", async () => {
    await sent("QuotaExceeded", { Key: "o" });
    const { json } = await ask("GET", "/overview?window=15m");
    const say = json.handlers.find(({ handler }: { handler: string }) => handler === "say");
    assert.ok(say.runs > 0 && say.p50 <= say.p99 && say.limit_ms > 0);
    assert.equal(json.buckets.length, 30);
    assert.ok(json.buckets.some(({ done }: { done: number }) => done > 0));
    assert.equal((await ask("GET", "/overview?window=1y")).json.error.field, "window");
    const { settings } = (await ask("GET", "/state")).json;
    assert.ok(settings.EVENTS_QUEUE_URL);
    for (const name of Object.keys(settings)) assert.doesNotMatch(name, /SECRETS?$|TOKEN$|KEY$|^AWS_/);
  });

  it("what is not there is not offered", async () => {
    const app = await own.with({
      history: undefined,
      sender: undefined,
      sessions: undefined,
      releases: undefined,
      deadLetters: undefined,
    });
    assert.deepEqual(
      new Set(Object.values((await askApp(app, "GET", "/state")).json.has).slice(0, 5)),
      new Set([false]),
    );
    for (const path of ["/events", "/types", "/sessions", "/releases", "/dead-letters"])
      assert.equal((await askApp(app, "GET", path)).status, 404, path);
  });
});
