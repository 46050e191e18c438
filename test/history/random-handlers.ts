// Random handlers, recorded by a consumer as it records them for a history.
import fc from "fast-check";
import type { HandlerRef } from "../../lib/apis/handler-ref.ts";
import { createRecorder } from "../../lib/history/recorder.ts";
import type { AttemptRecord } from "../../lib/history/records.ts";
import { openRelease, type Release } from "../../lib/releases/release.ts";
import { loadAssets } from "../../lib/runtime/assets.ts";
import { engineId } from "../../lib/runtime/engine-id.ts";
import type { Isolation } from "../../lib/runtime/protocol.ts";
import { startRuntime } from "../../lib/runtime/runtime.ts";
import type { Session } from "../../lib/sessions/session.ts";
import { createMemoryEntries, createStorage } from "../../lib/tyk-api/storage.ts";
import { createTable, message, setUp } from "../helpers/consumer.ts";
import { NO_METRICS } from "../helpers/metrics.ts";

export const assets = loadAssets();
export const engine = engineId();

/** `MARK` in a statement stands for a text that is in no other, and that what it does tells. */
const STATEMENTS = [
  'log("MARK");',
  'rawlog("MARK \\u2028 <&> \\0 é 𝒳 \\ud800");',
  'console.warn("MARK", { a: 1 }, [1, 2], null);',
  'log("MARK " + TykGetKeyData(KEY, context.APIID));',
  'log("MARK " + TykGetKeyData(KEY));',
  'TykSetKeyData(KEY, JSON.stringify({ rate: N, alias: "MARK", access_rights: { demo: { api_id: "demo" } } }), 1);',
  'TykSetKeyData(KEY, JSON.stringify({ quota_max: N, quota_renewal_rate: 60, tags: ["MARK"] }));',
  'TykSetKeyData(KEY, "{MARK", 1);',
  `var s = JSON.parse(TykGetKeyData(KEY, context.APIID));
    if (s.status !== "error") { s.per = (s.per || 0) + N; s.meta_data = { MARK: N }; TykSetKeyData(KEY, JSON.stringify(s), 1); }`,
  "TykDelKeyData(KEY, context.APIID);",
  'log("MARK " + TykMakeHttpRequest(JSON.stringify({ Method: "POST", Domain: "https://a.example", Resource: "/N", Body: "MARK" })));',
  'log("MARK " + TykBatchRequest(JSON.stringify({ requests: [{ method: "GET", relative_url: "MARK" }, { method: "GET", relative_url: "/N" }] })));',
  'TykStorageSet("KIND", "MARK", 60);',
  'log("MARK " + TykStorageGet("KIND"));',
  'log("MARK " + TykStorageIncr("count", 0) + TykStorageTTL("KIND"));',
  'try { TykStorageSet("", "MARK", 1); } catch (e) { log("MARK " + e); }',
  'log("MARK " + Date.now() + " " + new Date().toISOString());',
  'for (var i = 0; i < N * 20; i += 1) Date.now(); log("MARK " + Date.now());',
  'log("MARK " + Math.random() + " " + _.random(1000));',
  'log("MARK " + born + " " + luck);',
  'log("MARK " + b64enc("MARK"));',
  'mine += N; log("MARK " + mine);',
  'shared.push("MARK"); log(shared.length + shared.slice(-3).join());',
  'later = later.then(() => { log("MARK " + Date.now()); });',
  'later = later.then(() => { if (N === 0) throw new RangeError("MARK"); });',
  'if (N === 0) throw new TypeError("MARK " + N);',
  'if (N === 1) throw { odd: "MARK" };',
  "if (N === 0) null.MARK;",
  'if (event.Meta.n > N) log("MARK " + JSON.stringify(event));',
  'log("MARK " + JSON.stringify(context));',
  'log("MARK" + new Array(N * 100).join("long "));',
  'if (N === 3) for (var j = 0; j < 60; j += 1) TykMakeHttpRequest("{\\"MARK\\":1}");',
] as const;

export interface Statement {
  kind: number;
  key: string;
  n: number;
}

export interface RandomHandler {
  statements: Statement[];
  /** Of its script, when it is loaded. */
  takesClock: boolean;
  takesChance: boolean;
  async: boolean;
}

/** `short` is a custom key, which a gateway stores by another name. */
const KEYS = ["a", "b", "short", "none", "event"];

const statement: fc.Arbitrary<Statement> = fc.record({
  kind: fc.nat({ max: STATEMENTS.length - 1 }),
  key: fc.constantFrom(...KEYS),
  n: fc.nat({ max: 3 }),
});

export const randomHandler: fc.Arbitrary<RandomHandler> = fc.record({
  statements: fc.array(statement, { minLength: 1, maxLength: 10 }),
  takesClock: fc.boolean(),
  takesChance: fc.boolean(),
  async: fc.boolean(),
});

/** What the nth statement of the nth handler tells; another `version` differs in one character. */
export const markOf = (handler: number, at: number, version = "a") => `m${handler}_${at}${version}_`;

export function sourceOf(handler: RandomHandler, nth: number, changed?: number): string {
  const { statements, takesClock, takesChance } = handler;
  const lines = statements.map(({ kind, key, n }, at) =>
    (STATEMENTS[kind] ?? "")
      .replaceAll("MARK", markOf(nth, at, at === changed ? "b" : "a"))
      .replaceAll("KEY", key === "event" ? "event.Meta.Key" : JSON.stringify(key))
      .replaceAll("KIND", key)
      .replaceAll(/\bN\b/g, String(n)),
  );
  return `var shared = this.shared || [];
var h${nth} = new TykJS.TykEventHandlers.NewEventHandler({});
(function () {
  var born = ${takesClock ? "Date.now()" : 0}, luck = ${takesChance ? "Math.random()" : 0}, mine = 0;
  h${nth}.NewHandler(${handler.async ? "async " : ""}function (event, context) {
    var later = Promise.resolve();
${lines.map((line) => `    ${line}`).join("\n")}
    return later;
  });
})();
`;
}

/** Each handler is for a type of its own, in a script of its own. */
export function releaseOf(sources: string[]): Release {
  const handlers = sources.map((_, nth): [string, HandlerRef[]] => [
    `T${nth}`,
    [{ name: `h${nth}`, path: `h${nth}.js` }],
  ]);
  return {
    format: 1,
    apis: [
      {
        api_id: "demo",
        org_id: "o1",
        name: "Demo",
        config_data: { greeting: "hi", list: [1, 2] },
        handlers: { ...Object.fromEntries(handlers), All: handlers.flatMap(([, refs]) => refs) },
      },
    ],
    scripts: sources.map((source, nth) => ({ path: `h${nth}.js`, source })),
  };
}

const table = () =>
  createTable({
    a: { rate: 1, expires: 100, basic_auth_data: { password: "hidden" } } as unknown as Session,
    b: { rate: 2, per: 1.5, tags: ["<&\u2028"], odd: { x: 1 } } as unknown as Session,
    o1short: { rate: 3, quota_max: 5 } as Session,
    k0: { rate: 4 } as Session,
  });

/** A machine with others at work may let one of a thousand runs wait. */
const PATIENT_MS = 30_000;

/** Has a consumer run each handler for an event of its own, a few in a batch, and the first ones together for the last. */
export async function record(
  sources: string[],
  isolation: Isolation,
  timeoutMs = PATIENT_MS,
): Promise<AttemptRecord[]> {
  const release = openRelease("v1", releaseOf(sources));
  const runtime = await startRuntime(release.scripts, { assets, isolation, tellUsed: true });
  const attempts: AttemptRecord[] = [];
  let requests = 0;
  async function send(request: string, { log }: { log(level: "error", text: string): void }) {
    requests += 1;
    if (requests % 4) return JSON.stringify({ Code: 200, Body: `${requests} of ${request}` });
    if (requests % 8) log("error", `no answer to ${request}`);
    return undefined;
  }
  const { consume } = setUp(
    {},
    {
      table: table(),
      live: { at: async () => ({ release, runtime }), close: async () => {} },
      storage: createStorage({ entries: createMemoryEntries(), now: Date.now }),
      makeHttpRequest: send,
      batchRequest: async (request, run) => (run.admit(2) ? send(request, run) : undefined),
      allowMasterKeys: false,
      now: Date.now,
      timeoutMs,
      history: createRecorder({
        sink: async (kept) => {
          attempts.push(...JSON.parse(JSON.stringify(kept)));
          return 0;
        },
        metrics: NO_METRICS,
        now: Date.now,
        container: "c",
        isolation,
        engine,
      }),
    },
  );
  const events = sources.map((_, nth) => message(`k${nth}`, { body: bodyOf(`k${nth}`, `T${nth}`, nth) }));
  events.push(message("all", { body: bodyOf("k0", "All", 2, "all") }));
  for (let at = 0; at < events.length; at += 4) await consume(events.slice(at, at + 4));
  await runtime.close();
  return attempts;
}

const bodyOf = (key: string, Type: string, n: number, id = key) =>
  JSON.stringify({
    id,
    api_id: "demo",
    event: { Type, Meta: { Key: key, n: n % 4, big: 1e21 }, TimeStamp: "" },
  });
