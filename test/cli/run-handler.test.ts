import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { type HandlerRun, runHandler } from "../../public/test.ts";

const folder = mkdtempSync(join(tmpdir(), "gatehook-author-"));
after(() => rmSync(folder, { recursive: true }));

function script(name: string, body: string): string {
  mkdirSync(`${folder}/handlers`, { recursive: true });
  const file = `${folder}/handlers/${name}.js`;
  const handler = `var ${name} = new TykJS.TykEventHandlers.NewEventHandler({});`;
  writeFileSync(file, `${handler}\n${name}.NewHandler(function (event, context) {\n${body}\n});\n`);
  return file;
}

/** The first line is the gateway's own, of each handler. */
const said = ({ logs }: HandlerRun) => logs.slice(1).map(({ message }) => message);

describe("an author's test", () => {
  test("sees what a handler made of a session, and what it logged", async () => {
    const key = { expires: 1_000, access_rights: { demo: { api_id: "demo" } } };
    const event = { Type: "QuotaExceeded", Meta: { Key: "k1" } };
    const run = await runHandler(new URL("../../handlers/session-editor.js", import.meta.url), {
      event,
      sessions: { k1: key, k2: key },
    });
    assert.equal(run.outcome, "done");
    assert.equal(run.error, null);
    assert.equal(run.handler, "sessionEditor");
    assert.deepEqual([run.sessions.k1?.expires, run.sessions.k2?.expires], [2_000, 1_000]);
    assert.deepEqual(said(run), ["expiry moved by 1000 seconds, after a QuotaExceeded event"]);
  });

  test("gets a KeyExpired event for the first of its sessions, where it names none", async () => {
    const file = script(
      "teller",
      "log(event.Type + ' ' + event.Meta.Key + ' ' + context.APIID + ' ' + context.OrgID);",
    );
    const run = await runHandler(file, { sessions: { first: {}, second: {} }, api: "a1", org: "o1" });
    assert.deepEqual(said(run), ["KeyExpired first a1 o1"]);
  });

  test("runs the script as the definition around it has it", async () => {
    const file = script("configured", "log(JSON.stringify(context.config_data) + ' ' + core);");
    mkdirSync(`${folder}/apis`);
    const handlers = [
      { handler_name: "eh_dynamic_handler", handler_meta: { name: "configured", path: "configured.js" } },
    ];
    const definition = {
      api_id: "billing",
      config_data: { limit: 3 },
      event_handlers: { events: { KeyExpired: handlers } },
    };
    writeFileSync(`${folder}/apis/billing.json`, JSON.stringify(definition));
    writeFileSync(`${folder}/tykjs.js`, "var core = 'with core';");
    const run = await runHandler(file);
    assert.deepEqual([run.api_id, ...said(run)], ["billing", '{"limit":3} with core']);
    for (const path of ["apis", "tykjs.js"]) rmSync(join(folder, path), { recursive: true });
  });

  test("sees a failure as the run's outcome, with nothing of what it wrote", async () => {
    const file = script(
      "breaker",
      `TykSetKeyData(event.Meta.Key, '{"expires":5}', 1);\nthrow new Error("broken on purpose");`,
    );
    const run = await runHandler(file, { sessions: { k1: { expires: 1 } } });
    assert.deepEqual(
      [run.outcome, run.error?.code, run.error?.message],
      ["threw", "handler-threw", "Error: broken on purpose"],
    );
    assert.match(run.error?.stack ?? "", /breaker\.js:4/);
    assert.equal(run.sessions.k1?.expires, 1);
  });

  test("sees a script that does not load, and a handler that does not end", async () => {
    const broken = `${folder}/handlers/broken.js`;
    writeFileSync(broken, "var broken = (;");
    assert.equal((await runHandler(broken)).outcome, "load-error");
    const endless = script("endless", "for (;;) {}");
    assert.equal((await runHandler(endless, { timeoutMs: 50 })).outcome, "timeout");
  });

  test("lets a handler call a server of its own, and sees the requests", async (t) => {
    const server = createServer((_, response) => response.end("ok"));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    t.after(() => server.close());
    const Domain = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const request = JSON.stringify({ Method: "GET", Domain, Resource: "/keys" });
    const file = script("caller", `log(JSON.parse(TykMakeHttpRequest(${JSON.stringify(request)})).Body);`);
    const run = await runHandler(file, { allowHosts: ["127.0.0.1"] });
    assert.deepEqual(run.http, [{ method: "GET", url: `${Domain}/keys`, status: 200 }]);
    assert.deepEqual(said(run), ["ok"]);
    const refused = await runHandler(file);
    assert.notEqual(refused.http[0]?.status, 200);
  });

  test("has its scripts' dates in UTC, as in Lambda", async () => {
    const file = script("clock", "log(new Date(2026, 6, 1, 12).toISOString());");
    assert.deepEqual(said(await runHandler(file)), ["2026-07-01T12:00:00.000Z"]);
  });

  test("is told what it gave that no gateway sends", async () => {
    const file = script("nothing", "");
    const meta = [] as unknown as Record<string, unknown>;
    await assert.rejects(runHandler(file, { event: { Type: "KeyExpired", Meta: meta } }), {
      message: "event: Meta must be a JSON object",
    });
    await assert.rejects(runHandler(file, { event: { Type: "" } }), { message: "event: Type is missing" });
    await assert.rejects(
      runHandler(file, { sessions: { k1: { expires: "soon" } } }),
      /^Error: session k1: .*expires/,
    );
    await assert.rejects(runHandler(`${folder}/handlers/absent.js`), /absent\.js cannot be read/);
  });
});
