const STRICT = {
  noEmit: true,
  strict: true,
  skipLibCheck: false,
  target: "es2023",
  lib: ["es2023"],
  module: "preserve",
};

/** The files of an author's folder by path: the minimum for all commands. */
export const PROJECT: Record<string, string> = {
  "apis/demo.json": JSON.stringify({
    api_id: "demo",
    org_id: "demo-org",
    event_handlers: {
      events: {
        KeyExpired: [
          { handler_name: "eh_dynamic_handler", handler_meta: { name: "greeter", path: "greeter.js" } },
        ],
      },
    },
  }),
  "handlers/greeter.js": `var greeter = new TykJS.TykEventHandlers.NewEventHandler({});

greeter.NewHandler(function (event, context) {
  log("hello " + event.Meta.Key);
  // @ts-expect-error: the declarations have the members of a context
  if (context.ApiId) log(context.APIID);
});
`,
  "jsconfig.json": JSON.stringify({
    compilerOptions: { ...STRICT, checkJs: true, noImplicitAny: false, types: ["gatehook/handlers"] },
    include: ["handlers"],
  }),
  "test/greeter.test.mjs": `import assert from "node:assert/strict";
import { test } from "node:test";
import { runHandler } from "gatehook/test";

test("greets the key of the event", async () => {
  const { outcome, logs } = await runHandler("handlers/greeter.js", { sessions: { k1: {} } });
  assert.equal(outcome, "done");
  assert.ok(logs.some(({ message }) => message === "hello k1"));
});
`,
  "test/publisher.test.mjs": `import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { openPublisher } from "gatehook/publisher";

test("keeps an event while the queue is unavailable", async () => {
  const spool = mkdtempSync(join(tmpdir(), "gatehook-spool-"));
  const queueUrl = "http://127.0.0.1:9/000000000000/events";
  const publisher = await openPublisher({ queueUrl, spool, client: { region: "us-east-1" } });
  const { id } = await publisher.publish("demo", { Type: "KeyExpired", Meta: { Key: "k1" } }, { id: "e1" });
  const { spooled } = await publisher.close({ drainMs: 0 });
  rmSync(spool, { recursive: true });
  assert.deepEqual([id, spooled], ["e1", 1]);
});
`,
  "types/publisher.ts": `import { openPublisher, type PublishedEvent } from "gatehook/publisher";

const publisher = await openPublisher({ queueUrl: "https://sqs.eu-west-1.amazonaws.com/1/q", spool: "spool" });
export const event: PublishedEvent = await publisher.publish("demo", { Type: "KeyExpired" });
// @ts-expect-error: the declarations have the members of a status
export const { spoold } = publisher.status();
`,
  "types/run.ts": `import { type HandlerRun, runHandler } from "gatehook/test";

const event = { Type: "KeyExpired", Meta: { Key: "k1" } };
const run: HandlerRun = await runHandler("handlers/greeter.js", { event, sessions: { k1: { expires: 1 } } });
export const expires: unknown = run.sessions.k1?.expires;
// @ts-expect-error: the declarations have the members of a run
export const { outcom } = run;
`,
  "tsconfig.json": JSON.stringify({
    compilerOptions: { ...STRICT, types: [] },
    include: ["types"],
  }),
};
