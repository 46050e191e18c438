import { readdir, readFile } from "node:fs/promises";
import type { Host } from "../lib/runtime/host.ts";
import type { Run, Script } from "../lib/runtime/protocol.ts";

const HANDLERS = new URL("../handlers/", import.meta.url);
export const SESSION = JSON.stringify({
  rate: 100,
  per: 60,
  expires: 1_795_438_754,
  quota_max: 1_000,
  tags: [],
});

/** The sample handlers of the repository. */
export async function sampleRelease(): Promise<Script[]> {
  const files = (await readdir(HANDLERS)).filter((file) => /^session-.*\.js$/.test(file)).sort();
  return Promise.all(
    files.map(async (path) => ({ path, source: await readFile(new URL(path, HANDLERS), "utf8") })),
  );
}

/** This number of additional scripts, each with a handler, a table and some functions. */
export function fillerScripts(count: number): Script[] {
  return Array.from({ length: count }, (_, nth) => ({
    path: `filler-${nth}.js`,
    source: `var filler${nth} = new TykJS.TykEventHandlers.NewEventHandler({});
var fillerTable${nth} = {};
for (var i = 0; i < 5; i += 1) fillerTable${nth}["plan-" + i] = { quota: i * 1000, tags: ["a" + i, "b" + i] };
function fillerPlan${nth}(session) {
  var plan = fillerTable${nth}["plan-" + (session.quota_max % 5)];
  return plan ? plan.quota : -1;
}
filler${nth}.NewHandler(function (event, context) {
  var session = JSON.parse(TykGetKeyData(event.Meta.Key, context.APIID));
  session.quota_max = fillerPlan${nth}(session);
  TykSetKeyData(event.Meta.Key, JSON.stringify(session), 1);
});`,
  }));
}

/** The session editor for one expired key. */
export const sampleRun = (timeoutMs: number): Run => ({
  handler: "sessionEditor",
  event: JSON.stringify({
    Type: "KeyExpired",
    Meta: {
      Message: "Attempted access from expired key.",
      Path: "/demo/get",
      Origin: "203.0.113.7",
      Key: "k",
    },
    TimeStamp: "2026-01-02 03:04:05 +0000 UTC",
  }),
  context: JSON.stringify({
    APIID: "demo",
    OrgID: "org",
    EventID: "e1",
    Handler: "sessionEditor",
    Attempt: 1,
  }),
  timeoutMs,
});

export const silentHost: Host = {
  log() {},
  call: async (name) => (name === "getKeyData" ? SESSION : undefined),
};
