import { createCircuit } from "../../lib/consumer/circuit.ts";
import { type ConsumerDeps, createConsumer } from "../../lib/consumer/consumer.ts";
import type { GatewayEvent } from "../../lib/events/event.ts";
import type { Verdict } from "../../lib/queue/dead-letters.ts";
import type { QueueRecord } from "../../lib/queue/records.ts";
import { type LiveRelease, openRelease } from "../../lib/releases/release.ts";
import type { Host } from "../../lib/runtime/host.ts";
import type { Outcome, Run } from "../../lib/runtime/protocol.ts";
import type { Runtime } from "../../lib/runtime/runtime.ts";
import type { Session } from "../../lib/sessions/session.ts";
import { createMemoryEntries, createStorage } from "../../lib/tyk-api/storage.ts";
import { createMemoryTable } from "./memory-table.ts";
import { NO_METRICS } from "./metrics.ts";
import { NO_LOG } from "./no-log.ts";
import { scopeOf } from "./scope.ts";
import { scriptedRuntime } from "./scripted-runtime.ts";

export const MAX_ATTEMPTS = 3;
export const RECEIVE_LIMIT = 7;
export const TIMEOUT_MS = 1_000;

export const NOW = 1_787_396_400_000;

/** A consumer's dependencies except for its store and its runtime; they call no service. */
export const consumerDeps = (): Omit<ConsumerDeps, "store" | "live"> => ({
  sendDeadLetter: async () => {},
  changeVisibility: async () => {},
  requeue: async () => {},
  sendTask: async () => {},
  windows: { take: async () => {}, close: async () => undefined },
  deliver: async () => {},
  retryDelay: (receives) => receives,
  circuit: createCircuit({ now: () => NOW, random: () => 1 }),
  makeHttpRequest: async () => undefined,
  batchRequest: async () => undefined,
  storage: createStorage({ entries: createMemoryEntries(), now: () => 0 }),
  allowMasterKeys: true,
  configOf: async ({ config_data }) => config_data,
  timeoutMs: 1_000,
  graceMs: 0,
  maxAttempts: 5,
  receiveLimit: 50,
  handlerErrors: "retry",
  now: () => NOW,
  log: NO_LOG,
  metrics: NO_METRICS,
  random: Math.random,
});

export interface MessageOptions {
  messageId?: string;
  receives?: number;
  type?: string;
  key?: string;
  apiId?: string;
  body?: string;
  attributes?: Record<string, string>;
  /** The message group, for a FIFO queue. */
  group?: string;
}

/** A message of a KeyExpired event for the API "demo"; its key is its id. */
export function message(id: string, options: MessageOptions = {}): QueueRecord {
  const {
    messageId = `m-${id}`,
    receives = 1,
    type = "KeyExpired",
    key = id,
    apiId = "demo",
    group,
  } = options;
  const event = { Type: type, Meta: { Key: key }, TimeStamp: "" };
  return {
    messageId,
    receiptHandle: `r-${messageId}`,
    body: options.body ?? JSON.stringify({ id, api_id: apiId, event }),
    attributes: { ApproximateReceiveCount: String(receives), ...(group && { MessageGroupId: group }) },
    messageAttributes: Object.fromEntries(
      Object.entries(options.attributes ?? {}).map(([name, stringValue]) => [name, { stringValue }]),
    ),
  };
}

/** The tables in memory. */
export function createTable(sessions: Record<string, Session> = {}) {
  const table = createMemoryTable({ sessions });
  return {
    store: table,
    ledger: table.ledger,
    prefetched: table.prefetched,
    session: table.session,
    done: (eventId: string) => table.ledger.get(`demo#${eventId}`)?.done ?? [],
    change: table.change,
  };
}

/** The part of the gateway's API that scripts of these tests use. */
export interface Tyk {
  event: GatewayEvent;
  context: Record<string, unknown>;
  get(key: string): Promise<Session | { status: string }>;
  set(key: string, session: Session): Promise<void>;
  del(key: string): Promise<void>;
  http(request: string): Promise<string | undefined>;
  /** Any call of TykStorage. */
  store(): Promise<void>;
}
export type Script = (tyk: Tyk) => Promise<void> | void;

/** A runtime whose scripts are functions of the test. */
export function createRuntime(scripts: Record<string, Script>, runs: string[] = [], workers = 1): Runtime {
  async function run({ handler, event, context }: Run, host: Host): Promise<Outcome> {
    const scope = scopeOf(host);
    const facts = JSON.parse(context) as Record<string, unknown>;
    runs.push(`${facts.EventID} ${handler}`);
    try {
      await scripts[handler]?.({
        event: JSON.parse(event) as GatewayEvent,
        context: facts,
        get: async (key) =>
          JSON.parse((await host.call("getKeyData", [key, "demo"], scope)) ?? "") as Session,
        set: async (key, session) =>
          void (await host.call("setKeyData", [key, JSON.stringify(session), "1"], scope)),
        del: async (key) => void (await host.call("delKeyData", [key, "demo"], scope)),
        store: async () => void (await host.call("storage", ["set", "k", "v", "0"], scope)),
        http: (request) => host.call("makeHttpRequest", [request], scope),
      });
      return { ok: true, ms: 1 };
    } catch (thrown) {
      const { name, message } = thrown as Error;
      return { ok: false, code: "threw", sandbox: "kept", error: { name, message, stack: "" }, ms: 1 };
    }
  }
  return scriptedRuntime(run, workers);
}

export function createRelease(handlers: Record<string, string[]>, version = "v1"): LiveRelease {
  const refs = Object.entries(handlers).map(([type, names]) => [
    type,
    names.map((name) => ({ name, path: `${name}.js` })),
  ]);
  const api = { api_id: "demo", org_id: "o1", name: "Demo", handlers: Object.fromEntries(refs) };
  return openRelease(version, { format: 1, apis: [api], scripts: [] });
}

export interface Letter extends Verdict {
  messageId: string;
}

/** A consumer whose API "demo" runs all of these scripts, in this order, for KeyExpired. */
export function setUp(
  scripts: Record<string, Script>,
  options: Partial<ConsumerDeps> & { table?: ReturnType<typeof createTable>; workers?: number } = {},
) {
  const { table = createTable(), workers, ...deps } = options;
  const letters: Letter[] = [];
  const runs: string[] = [];
  const release = createRelease({ KeyExpired: Object.keys(scripts) });
  const runtime = createRuntime(scripts, runs, workers);
  const returns: [string, number][] = [];
  const requeued: string[] = [];
  const consumer = createConsumer({
    ...consumerDeps(),
    store: table.store,
    live: { at: async () => ({ release, runtime }), close: async () => {} },
    sendDeadLetter: async ({ messageId }, verdict) => void letters.push({ messageId, ...verdict }),
    changeVisibility: async (records) => {
      for (const { record, seconds } of records) returns.push([record.messageId, seconds]);
    },
    requeue: async (_, { eventId }) => void requeued.push(eventId ?? ""),
    timeoutMs: TIMEOUT_MS,
    maxAttempts: MAX_ATTEMPTS,
    receiveLimit: RECEIVE_LIMIT,
    ...deps,
  });
  return {
    table,
    letters,
    /** The messages whose visibility was changed, with the seconds until they are delivered again. */
    returns,
    /** Ids of the events that were sent to the queue as new messages. */
    requeued,
    /** "event handler", in the order in which they ran. */
    runs,
    consume: (batch: QueueRecord[], timeLeft = () => 600_000) => consumer(batch, timeLeft),
  };
}

/** Counts in the session of the event's own key. */
export const count: Script = ({ event, ...tyk }) => countIn(String(event.Meta.Key))({ event, ...tyk });
export const countIn =
  (key: string): Script =>
  async ({ get, set }) => {
    const { rate = 0 } = (await get(key)) as Session;
    await set(key, { rate: rate + 1 });
  };
export const fail = (text: string): Script => {
  return () => {
    throw new TypeError(text);
  };
};
/** Fails for the events of this key only. */
export const failFor =
  (key: string): Script =>
  ({ event }) => {
    if (event.Meta.Key === key) throw new TypeError(`not ${key}`);
  };
