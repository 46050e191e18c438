const STRICT = {
  noEmit: true,
  strict: true,
  skipLibCheck: false,
  target: "es2023",
  lib: ["es2023"],
  module: "preserve",
};

/** What an author has in a folder of their own, by path: as little as all commands need. */
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
  // @ts-expect-error: the declarations know what a context has
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
  "types/run.ts": `import { type HandlerRun, runHandler } from "gatehook/test";

const event = { Type: "KeyExpired", Meta: { Key: "k1" } };
const run: HandlerRun = await runHandler("handlers/greeter.js", { event, sessions: { k1: { expires: 1 } } });
export const expires: unknown = run.sessions.k1?.expires;
// @ts-expect-error: the declarations know what a run has
export const { outcom } = run;
`,
  "tsconfig.json": JSON.stringify({
    compilerOptions: { ...STRICT, types: [] },
    include: ["types"],
  }),
};
