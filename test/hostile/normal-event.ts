import assert from "node:assert/strict";
import type { Host } from "../../lib/runtime/host.ts";
import type { HostCallName, LogLevel, Outcome, Script } from "../../lib/runtime/protocol.ts";
import type { Runtime } from "../../lib/runtime/runtime.ts";

/** Everything that a run shows to the host. */
export interface Seen {
  outcome: Outcome;
  lines: string[];
  calls: [HostCallName, ...string[]][];
}

export const EVENT = JSON.stringify({
  Type: "KeyExpired",
  Meta: { Key: "normal-key", Path: "/normal", Message: "as ever" },
  TimeStamp: "2026-01-02 03:04:05 +0000 UTC",
});
export const CONTEXT = JSON.stringify({ APIID: "demo", OrgID: "org", EventID: "e1", Attempt: 1 });
const SESSION = JSON.stringify({ expires: 1000, tags: ["b", "a"], quota_max: 10 });

export async function runAndSee(runtime: Runtime, handler: string, timeoutMs: number): Promise<Seen> {
  const seen: Omit<Seen, "outcome"> = { lines: [], calls: [] };
  const host: Host = {
    log: (level: LogLevel, message) => void seen.lines.push(`${level} ${message}`),
    async call(name, args, { admit }) {
      seen.calls.push([name, ...args]);
      if (name === "batchRequest") admit(JSON.parse(args[0] ?? "").requests.length);
      return name === "getKeyData" ? SESSION : name === "storage" ? '{"error":null,"value":null}' : undefined;
    },
  };
  const outcome = await runtime.run({ handler, event: EVENT, context: CONTEXT, timeoutMs }, host);
  return { outcome, ...seen };
}

/**
 * A handler of the ordinary kind. What it needs of the globals it takes while it is loaded: in the global runtime
 * another script may replace them for good, which is what global means.
 */
export const NORMAL: Script = {
  path: "normal.js",
  source: `var normal = new TykJS.TykEventHandlers.NewEventHandler({});
(function (parse, stringify, say, get, set, process) {
  normal.DoProcessEvent = process;
  normal.NewHandler(function (event, context) {
    var session = parse(get(event.Meta.Key, context.APIID));
    session.expires = session.expires + 1000;
    set(event.Meta.Key, stringify(session), 1);
    say(event.Type + " " + event.EventMetaData.Path + " " + session.expires);
  });
})(JSON.parse, JSON.stringify, log, TykGetKeyData, TykSetKeyData, normal.DoProcessEvent);`,
};

/** One that uses whatever the globals hold when it runs. */
export const TRUSTING: Script = {
  path: "trusting.js",
  source: `var trusting = new TykJS.TykEventHandlers.NewEventHandler({});
trusting.NewHandler(function (event, context) {
  var session = JSON.parse(TykGetKeyData(event.Meta.Key, context.APIID));
  session.tags = session.tags.concat(["c"]).sort().map(function (tag) { return tag.toUpperCase(); });
  var counted = new Map(Object.keys(session).map(function (key) { return [key, key.length]; }));
  TykSetKeyData(event.Meta.Key, JSON.stringify(session), 1);
  log([...counted].join(";") + " " + /^K(.*)d$/.exec(event.Type)[1] + " " + typeof leftBehind + typeof extra);
  log([Math.max(1, 2), new Error("m").message, Object.getPrototypeOf({}) === Object.prototype, {}.polluted].join());
});`,
};

export async function assertNormal(runtime: Runtime): Promise<void> {
  const { outcome, ...seen } = await runAndSee(runtime, "normal", 30_000);
  assert.equal(outcome.ok, true, JSON.stringify(outcome));
  assert.deepEqual(seen, {
    lines: ["info Calling built - in handle", "info KeyExpired /normal 2000"],
    calls: [
      ["getKeyData", "normal-key", "demo"],
      ["setKeyData", "normal-key", '{"expires":2000,"tags":["b","a"],"quota_max":10}', "1"],
    ],
  });
}

export async function assertTrusting(runtime: Runtime): Promise<void> {
  const { outcome, ...seen } = await runAndSee(runtime, "trusting", 30_000);
  assert.equal(outcome.ok, true, JSON.stringify(outcome));
  assert.deepEqual(seen, {
    lines: [
      "info Calling built - in handle",
      "info expires,7;tags,4;quota_max,9 eyExpire undefinedundefined",
      "info 2,m,true,",
    ],
    calls: [
      ["getKeyData", "normal-key", "demo"],
      ["setKeyData", "normal-key", '{"expires":1000,"tags":["A","B","C"],"quota_max":10}', "1"],
    ],
  });
}
