import { AppError } from "../../lib/errors.ts";
import { createAbsence } from "../../lib/gateway/absence.ts";
import { createCanary } from "../../lib/gateway/canary.ts";
import { changedState } from "../../lib/gateway/change.ts";
import { type Gateway as Api, createGateway as createApi } from "../../lib/gateway/client.ts";
import { createReadThrough } from "../../lib/gateway/read-through.ts";
import type { Row } from "../../lib/gateway/row.ts";
import { createSettle, type Rejection, type Settled } from "../../lib/gateway/settle.ts";
import { nextVersion, type StoredSession } from "../../lib/sessions/item.ts";
import { parseSession, type Session } from "../../lib/sessions/session.ts";
import { frozen } from "../helpers/frozen.ts";
import { NO_METRICS } from "../helpers/metrics.ts";
import { NO_LOG } from "../helpers/no-log.ts";
import type { GatewayConfig } from "./config.ts";
import { always, type Fault } from "./faults.ts";
import { createGateway } from "./model.ts";

/** Both sides of a history: a gateway, the sessions table with its stream, and what of gatehook stands between them. */
export interface World {
  /** An admin's request, past all faults; the session afterwards. */
  admin(
    method: "GET" | "PUT" | "POST" | "DELETE",
    key: string,
    session?: object,
  ): Record<string, unknown> | undefined;
  /** A client's request with the key. */
  use(key: string): void;
  /** One that takes its time; answers what ends it. */
  begin(key: string): () => void;
  /** Happens when the sync pauses next, between its write and its look. */
  atPause(work: () => void): void;
  /** A handler's run: it reads the session and makes another of it; false when it found none, or lost a race. */
  run(
    key: string,
    edit: (session: Session) => Session | undefined,
    between?: () => void,
    reset?: boolean,
  ): Promise<boolean>;
  /** Has the sync take the oldest records of the stream; `dies` before it tells anybody. */
  sync(records: number, dies?: "after-gateway" | "after-later"): Promise<void>;
  /** The gateway says that a key changed, or a reconciliation does. */
  doubt(key: string): void;
  wait(ms: number): void;
  disturb(...faults: Fault[]): void;
  /** Lets everything that is under way come to its end. */
  settle(): Promise<void>;
  row(key: string): StoredSession | undefined;
  rows(): string[];
  /** As a Redis that comes back empty. */
  wipe(): void;
  /** Puts a session of a handler's own, for a key that it found nowhere. */
  bear(key: string, session: Session): void;
  /** What was asked of the gateway by us and by the admin: method and path. */
  requests(): string[];
  overruled: string[];
  refusals: Rejection[];
  /** Keys that we asked the gateway to make, in order. */
  made: string[];
}

const SECRET = "secret";
const CANARY = "canary-of-test";
/** More than a history can need. */
const ROUNDS = 200;

export function createWorld(
  config: GatewayConfig,
  { admit = async () => true }: { admit?: () => Promise<boolean> } = {},
): World {
  let time = 1_795_000_000_000;
  const now = () => time;
  const model = createGateway({ config: { ...config, secret: SECRET }, now });
  let faults: Fault[] = [];
  const table = new Map<string, StoredSession>();
  const stream: string[] = [];
  let laters: { key: string; at: number }[] = [];
  const touched = new Set<string>();
  const refusals: Rejection[] = [];
  const overruled: string[] = [];
  const made: string[] = [];
  let canaryMade = false;
  let pausing: (() => void)[] = [];

  const ask = (method: string, path: string, body?: string) =>
    model.request({
      method,
      path: `/tyk/keys${path}`,
      headers: { "X-Tyk-Authorization": SECRET },
      ...(body !== undefined && { body }),
    });

  function api(): Api {
    return createApi(
      async ({ method, path, body }) => {
        if (method === "POST") made.push(decodeURIComponent(path.slice(1).split("?")[0] ?? ""));
        const { status, body: text, cutAfter } = ask(method, path, body);
        if (status === 0 || cutAfter !== undefined) throw new AppError("dependency-failed", "no answer");
        return { status, text };
      },
      { secret: SECRET, hashed: false },
    );
  }

  function put(key: string, read: StoredSession, next: Omit<StoredSession, "version">): number | undefined {
    const version = table.get(key)?.version ?? 0;
    if (Math.max(0, read.version) !== version) return undefined;
    const stored = { ...next, version: nextVersion(read.version) };
    table.set(key, frozen(stored));
    stream.push(key);
    return stored.version;
  }

  function doubt(key: string): void {
    const row = table.get(key);
    if (row) put(key, row, { session: row.session, gateway: { ...row.gateway, look: time } });
  }

  const settleRow = createSettle({
    absence: createAbsence({
      canary: createCanary(CANARY),
      quickMs: 1_000,
      wasCanaryMade: async () => canaryMade,
      noteCanaryMade: async () => {
        canaryMade = true;
      },
      onCanaryMissing: () => {},
      now,
    }),
    admit,
    reject: async (_, refusal) => void refusals.push(refusal),
    overrule: (_, members) => void overruled.push(...members),
    async markReset(row) {
      const { change } = row.gateway;
      const gateway = { ...row.gateway, ...(change && { change: { ...change, reset: "asked" as const } }) };
      return put(row.key, row, { session: row.session, gateway });
    },
    pause: async (ms) => {
      const works = pausing;
      pausing = [];
      for (const work of works) work();
      time += ms;
    },
    now,
    cacheMs: config.disable_cached_session_state ? 0 : 11_000,
    giveUpMs: 60_000,
    hashed: false,
  });

  const read = async (key: string): Promise<StoredSession> =>
    table.get(key) ?? { session: undefined, version: 0 };
  const complete = createReadThrough({
    gateway: { get: (key, query) => api().get(key, query) },
    mode: "missing",
    isAsked: () => true,
    keep: async (key, stored, session, gateway) => put(key, stored, { session, gateway }),
    doubt: async (key) => doubt(key),
    fullName: async (key) => key,
    read,
    log: NO_LOG,
    metrics: NO_METRICS,
  });

  const asksSomething = ({ gateway }: StoredSession, key: string) =>
    gateway?.look !== undefined ||
    (gateway?.change !== undefined && (gateway.change.until === undefined || touched.has(key)));

  async function settleOne(row: Row): Promise<Settled> {
    return settleRow(row, api()).catch((thrown: unknown) => {
      if (thrown instanceof AppError) return { kind: "unknown" } as const;
      throw thrown;
    });
  }

  function keep(row: Row, settled: Settled): void {
    const read = { session: row.session, version: row.version };
    if (settled.kind === "row")
      put(
        row.key,
        { ...read, version: settled.version ?? row.version },
        { session: settled.session, gateway: settled.gateway },
      );
    if (settled.kind === "remove" && table.get(row.key)?.version === row.version) table.delete(row.key);
  }

  async function sync(records: number, dies?: "after-gateway" | "after-later"): Promise<void> {
    const keys = new Set(stream.slice(0, records));
    for (const key of keys) {
      const stored = table.get(key);
      if (!stored?.gateway || !asksSomething(stored, key)) continue;
      const row: Row = { key, session: stored.session, version: stored.version, gateway: stored.gateway };
      const settled = await settleOne(row);
      if (dies === "after-gateway") return;
      const ms = settled.kind === "unknown" ? 1_000 : settled.kind === "row" ? settled.later : undefined;
      if (ms !== undefined) laters.push({ key, at: time + ms });
      if (dies === "after-later") return;
      touched.delete(key);
      keep(row, settled);
    }
    stream.splice(0, records);
  }

  function deliverLaters(): void {
    const due = laters.filter(({ at }) => at <= time);
    laters = laters.filter(({ at }) => at > time);
    for (const { key } of due) {
      if (!table.has(key)) continue;
      touched.add(key);
      stream.push(key);
    }
  }

  function admin(method: string, key: string, session?: object): Record<string, unknown> | undefined {
    model.disturb();
    const query = method === "PUT" ? "?suppress_reset=1" : "";
    ask(method, `/${encodeURIComponent(key)}${query}`, session && JSON.stringify(session));
    const { status, body } = ask("GET", `/${encodeURIComponent(key)}`);
    model.disturb(always(...faults));
    return status === 200 ? (JSON.parse(body) as Record<string, unknown>) : undefined;
  }

  return {
    admin,
    use: (key) => void model.use(key),
    begin(key) {
      const { finish } = model.begin(key);
      return () => void finish();
    },
    atPause: (work) => void pausing.push(work),
    async run(key, edit, between, reset = false) {
      const stored = await complete(key, await read(key));
      const edited = stored.session && edit(stored.session);
      between?.();
      if (!stored.session || stored.gateway?.gone) return false;
      const gateway = changedState(stored, { reset, now: time });
      const session = edited && parseSession(JSON.stringify(edited));
      return put(key, stored, { session, gateway }) !== undefined;
    },
    sync,
    doubt,
    wait(ms) {
      time += ms;
      deliverLaters();
    },
    disturb(...next) {
      faults = next;
      model.disturb(always(...faults));
    },
    async settle() {
      for (let round = 0; stream.length > 0 || laters.length > 0; round += 1) {
        if (round === ROUNDS) throw new Error("it never comes to an end");
        await sync(stream.length);
        time = Math.max(time, Math.min(...laters.map(({ at }) => at), time + 60_000));
        deliverLaters();
      }
    },
    wipe: model.wipe,
    bear: (key, session) =>
      void put(
        key,
        { session: undefined, version: 0 },
        { session, gateway: changedState({ session: undefined, version: 0 }, { reset: false, now: time }) },
      ),
    requests: () => model.requests.map(({ method, path }) => `${method} ${path}`),
    overruled,
    row: (key) => table.get(key),
    rows: () => [...table.keys()],
    refusals,
    made,
  };
}
