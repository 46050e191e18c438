import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, describe, test } from "node:test";
import { createEgress } from "../../lib/egress/client.ts";
import { loadAssets } from "../../lib/runtime/assets.ts";
import type { Isolation, Limits, LogLevel } from "../../lib/runtime/protocol.ts";
import { type Runtime, startRuntime } from "../../lib/runtime/runtime.ts";
import type { Session } from "../../lib/sessions/session.ts";
import { createHost } from "../../lib/tyk-api/host.ts";
import { batchRequest, makeHttpRequest } from "../../lib/tyk-api/http.ts";
import { createMemoryEntries, createStorage } from "../../lib/tyk-api/storage.ts";

// The limits of a run as a script meets them: the real sandbox, the real host, real requests.

const AMPLE_MS = 60_000;
const SHORT_MS = 200;
const LINE_CHARS = 200;
const LIMITS: Partial<Limits> = {
  graceMs: AMPLE_MS,
  httpCalls: 6,
  logRunLines: 12,
  logRunBytes: 1_500,
  logLineChars: LINE_CHARS,
};

const egress = createEgress({ allowHosts: ["127.0.0.1"], maxResponseBytes: 4 * 1024 * 1024 });
let received = 0;
const server = createServer((request, response) => {
  received += 1;
  const [, kind, size] = (request.url ?? "").split("/");
  // What is asked for silence is answered when the script has given up.
  if (kind === "silence") return;
  response.end(kind === "large" ? "x".repeat(Number(size)) : "ok");
});
let url = "";
before(async () => {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
after(async () => {
  await egress.close();
  server.closeAllConnections();
  server.close();
});

interface Ended {
  code: string;
  /** Without the gateway's own first line. */
  lines: string[];
  levels: LogLevel[];
  /** Requests that came to the server. */
  received: number;
  sessions: Map<string, Session>;
}

/** Runs the body of a handler, in which URL is the server. */
async function run(runtime: Runtime, body: string, timeoutMs = AMPLE_MS): Promise<Ended> {
  const lines: [LogLevel, string][] = [];
  const sessions = new Map<string, Session>();
  const host = createHost(
    {
      makeHttpRequest: (request, http) => makeHttpRequest(request, { egress, ...http }),
      batchRequest: (request, http) => batchRequest(request, { egress, ...http }),
      storage: createStorage({ entries: createMemoryEntries(), now: Date.now }),
      allowMasterKeys: false,
      now: Date.now,
    },
    {
      buffer: {
        read: async (key) => sessions.get(key),
        fullNameOf: (key) => key,
        write: async (key, { session }) => void (session ? sessions.set(key, session) : sessions.delete(key)),
      },
      event: "e1",
      handler: "evaluator",
      log: (level, line) => void lines.push([level, line]),
      onRead: () => {},
      orgOf: () => "org",
    },
  );
  const before = received;
  const event = JSON.stringify({ Type: "T", Meta: { body, url }, TimeStamp: "" });
  const outcome = await runtime.run({ handler: "evaluator", event, context: "{}", timeoutMs }, host);
  return {
    code: outcome.ok ? "ok" : outcome.code,
    lines: lines.slice(1).map(([, line]) => line),
    levels: lines.slice(1).map(([level]) => level),
    received: received - before,
    sessions,
  };
}

const EVALUATOR = `var evaluator = new TykJS.TykEventHandlers.NewEventHandler({});
evaluator.NewHandler(function (event) { return Function("URL", event.Meta.body)(event.Meta.url); });
function batch(count, name, url) {
  var requests = [];
  for (var i = 0; i < count; i += 1) requests.push({ relative_url: url });
  return '{"' + (name || "requests") + '":' + JSON.stringify(requests) + '}';
}`;

for (const isolation of ["global", "event"] as const satisfies Isolation[]) {
  describe(`under ${isolation} isolation`, () => {
    let runtime: Runtime;
    before(async () => {
      const scripts = [{ path: "evaluator.js", source: EVALUATOR }];
      runtime = await startRuntime(scripts, { assets: loadAssets(), isolation, limits: LIMITS });
    });
    after(() => runtime.close());

    describe("a batch of more requests than HTTP_MAX_CALLS", () => {
      for (const [title, text] of [
        ["as documented", "batch(7, 'requests', URL)"],
        ["by a name in other case", "batch(7, 'Requests', URL)"],
        ["by a name that only folds to the right one", "batch(7, 'reque\\u017ft\\u017f', URL)"],
        ["by the second of two names", `'{"requests":[],"REQUESTS":' + batch(7, 'x', URL).slice(5)`],
        ["by a name that is written with an escape", "batch(7, 'req\\\\u0075ests', URL)"],
        ["in turn", `batch(7, 'requests', URL).replace('{', '{"suppress_parallel_execution":true,')`],
        ["more than a text may have values", "batch(3000, 'requests', URL)"],
        ["more than a text may have bytes", "batch(80000, 'Requests', URL)"],
        ["as many as there is room for", `'{"requests":[' + '{},'.repeat(1300000) + '{}]}'`],
      ] as const) {
        test(`(${title}) ends its run, and none of it is sent`, async () => {
          const ended = await run(runtime, `TykBatchRequest(${text}); log("went on");`);
          assert.deepEqual([ended.code, ended.lines, ended.received], ["http-calls", [], 0]);
        });
      }

      test("ends its run where the requests before it count too", async () => {
        const body = `TykMakeHttpRequest(JSON.stringify({ Domain: URL, Resource: "/" }));
          log(JSON.parse(TykBatchRequest(batch(3, "Requests", URL))).length);
          log(JSON.parse(TykBatchRequest(batch(2, "requests", URL))).length);
          TykBatchRequest(batch(1, "requests", URL)); log("went on");`;
        const ended = await run(runtime, body);
        assert.deepEqual([ended.code, ended.lines, ended.received], ["http-calls", ["3", "2"], 6]);
        assert.equal((await run(runtime, "TykBatchRequest(batch(6, 'requests', URL));")).received, 6);
      });

      test("ends it, whatever the script catches", async () => {
        const body = `(function again() {
          try { TykBatchRequest(batch(7, "Requests", URL)); } catch (e) { log("caught"); again(); } finally { again(); }
        })();`;
        assert.deepEqual((await run(runtime, body)).code, "http-calls");
      });
    });

    test("a batch that makes no sense counts as one call, and not for ever", async () => {
      const ended = await run(runtime, `for (;;) TykBatchRequest("no JSON");`);
      assert.equal(ended.code, "http-calls");
      assert.equal(ended.lines.length, 6);
    });

    describe("lines that the host writes for a script", () => {
      const refused = `TykBatchRequest(batch(6, "requests", "http://10.0.0.1/"));`;

      test("count as the script's own, by their number", async () => {
        const ended = await run(
          runtime,
          `log("1"); log("2"); ${refused} for (var i = 3; i < 20; i += 1) log(i);`,
        );
        assert.equal(ended.code, "ok");
        assert.equal(ended.lines.length, 12);
        assert.deepEqual(ended.lines.filter((line) => line.includes("10.0.0.1")).length, 6);
        assert.deepEqual(ended.lines.slice(8), [
          "3",
          "4",
          "5",
          "handler-log-lines: 12 lines is what a run may log; the rest is dropped",
        ]);
      });

      test("are dropped when it has logged what a run may", async () => {
        for (const filler of ["log(i)", "log('x'.repeat(150))"]) {
          const ended = await run(
            runtime,
            `for (var i = 0; i < 50; i += 1) ${filler}; ${refused} TykStorageSet("k", "v", 1);`,
          );
          assert.equal(ended.code, "ok");
          assert.ok(ended.lines.length <= 12);
          assert.match(ended.lines.at(-1) ?? "", /is what a run may log; the rest is dropped$/);
          assert.deepEqual(
            ended.lines.filter((line) => line.includes("10.0.0.1")),
            [],
          );
        }
      });

      test("count by their bytes, and are cut to the length of a line", async () => {
        const name = "€".repeat(150);
        const ended = await run(
          runtime,
          `for (var i = 0; i < 8; i += 1) TykSetKeyData("k", JSON.stringify({ rate: { ["${name}" + i]: 1 }, tags: [{ "${name}": 1 }], meta_data: 1, ["access_rights"]: "${name}" }), 1);`,
        );
        assert.equal(ended.code, "ok");
        for (const line of ended.lines) assert.ok(line.length <= LINE_CHARS, line);
        const bytes = ended.lines.slice(0, -1).reduce((sum, line) => sum + Buffer.byteLength(line), 0);
        assert.ok(bytes <= 1_500, `${bytes}`);
      });
    });

    test("the deadline holds while a batch waits for its answers", async () => {
      const ended = await run(
        runtime,
        `TykBatchRequest(batch(6, "Requests", URL + "/silence")); log("late");`,
        SHORT_MS,
      );
      assert.deepEqual([ended.code, ended.lines.includes("late")], ["timeout", false]);
    });

    describe("what is too large is refused, and the script goes on", () => {
      const http = (members: string) =>
        `TykMakeHttpRequest('{"Method":"POST","Domain":"' + URL + '","Resource":"/",' + ${members} + '}')`;
      const fields = (name: string) =>
        `var f = []; for (var i = 0; i < 5000; i += 1) f.push('"k' + i + '":"v"'); var r = ${http(`'"${name}":{' + f.join() + '}'`)};`;
      for (const [title, body, problem] of [
        [
          "a request",
          `var r = ${http(`'"Body":"' + "x".repeat(1048576) + '"'`)};`,
          "more than 1048576 bytes",
        ],
        [
          "a request in other characters",
          `var r = ${http(`'"Body":"' + "€".repeat(360000) + '"'`)};`,
          "more than 1048576 bytes",
        ],
        ["a form of many fields", fields("FormData"), "more than 4000 members"],
        ["a request of many headers", fields("Headers"), "more than 4000 members"],
        [
          "a request of many members that mean nothing",
          `var r = ${http(`'"x":' + "[".repeat(5000) + "]".repeat(5000)`)};`,
          "more than 4000 members",
        ],
        [
          "a header",
          `var r = ${http(`'"Headers":{"a":"b' + " ".repeat(70000) + 'c"}'`)};`,
          "larger than 65536 bytes",
        ],
        [
          "a header's name",
          `var r = ${http(`'"Headers":{"' + "a-".repeat(35000) + '":""}'`)};`,
          "larger than 65536 bytes",
        ],
        [
          "a URL",
          `var r = TykMakeHttpRequest(JSON.stringify({ Domain: URL + "/", Resource: "a%20€".repeat(14000) }));`,
          "longer than 65536 characters",
        ],
        [
          "a host",
          `var r = TykMakeHttpRequest(JSON.stringify({ Domain: "http://" + "é".repeat(2000) + ".example/" }));`,
          "bad host",
        ],
        [
          "a batch of few requests",
          `var r = TykBatchRequest(JSON.stringify({ requests: [{ relative_url: URL, body: "x".repeat(1048576) }] }));`,
          "more than 1048576 bytes",
        ],
        [
          "a batch with a large header",
          `var r = TykBatchRequest(JSON.stringify({ requests: [{ relative_url: URL, headers: { a: "b".repeat(70000) } }] }));`,
          "larger than 65536 bytes",
        ],
        [
          "a batch with a long URL",
          `var r = TykBatchRequest(JSON.stringify({ requests: [{ relative_url: URL + "/" + "a".repeat(70000) }] }));`,
          "longer than 65536 characters",
        ],
        ["an argument", `var r = TykMakeHttpRequest("x".repeat(4194305));`, "4194304 are allowed"],
        ["a session", `var r = TykSetKeyData("k", "x".repeat(4194305), 1);`, "4194304 are allowed"],
        [
          "the key of a session",
          `var r = TykSetKeyData("k".repeat(5000000), '{"access_rights":{"a":{}}}', 1);`,
          "1 to 2048 bytes",
        ],
      ] as const) {
        test(title, async () => {
          const ended = await run(runtime, `${body} log(typeof r);`);
          assert.deepEqual([ended.code, ended.received, ended.sessions.size], ["ok", 0, 0]);
          assert.equal(ended.lines.length, 2, ended.lines.join("\n"));
          assert.ok(ended.lines[0]?.includes(problem), ended.lines[0]);
          assert.deepEqual([ended.levels[0], ended.lines[1]], ["error", "undefined"]);
        });
      }

      test("the names and values of storage, and the names of sessions", async () => {
        const body = `["k".repeat(5000000), "€".repeat(300)].forEach(function (name) {
            try { TykStorageGet(name); } catch (e) { log(e.message); }
            log(TykGetKeyData(name, name.slice(0, 9)) === '{"status":"error","message":"Key not found"}');
          });
          try { TykStorageSet("k", "v".repeat(5000000), 0); } catch (e) { log(e.message); }`;
        const ended = await run(runtime, body);
        const name = "storage key must be 1-256 bytes";
        assert.deepEqual(ended.lines, [name, "true", name, "true", "storage value exceeds 65536 bytes"]);
      });

      test("an answer of a batch that has no room beside the others", async () => {
        const body = `var sizes = [1500000, 1500000, 1500000, 10].map(function (size) { return { relative_url: URL + "/large/" + size }; });
          log(JSON.parse(TykBatchRequest(JSON.stringify({ requests: sizes }))).map(function (unit) { return unit.code + " " + unit.body.length; }));`;
        const ended = await run(runtime, body);
        assert.deepEqual(ended.lines, [
          "TykBatchRequest: the answers of the batch have more than 4194304 characters (http-too-large)",
          "200 1500000,200 1500000,0 0,200 10",
        ]);
      });
    });
  });
}
