import type { RunBuffer } from "../commit/unit-of-work.ts";
import { AppError } from "../errors.ts";
import type { CallScope } from "../runtime/host.ts";
import { type HostCallName, isSessionCall } from "../runtime/protocol.ts";
import { MISS, parseSession, type Session, showSession } from "../sessions/session.ts";
import { createHost, type RunHost, type SendHttp } from "../tyk-api/host.ts";
import type { Storage } from "../tyk-api/storage.ts";
import type { CallRecord, RunRecord } from "./records.ts";
import { isSameCall } from "./steps.ts";

/** Sessions by their names; undefined for a session that is known to be missing. */
export type Sessions = ReadonlyMap<string, Session | undefined>;

/** Sends the requests whose answers the record does not have. */
export interface LiveHttp {
  makeHttpRequest: SendHttp;
  batchRequest: SendHttp;
}

/** The data of a rerun in addition to the record of its own run. */
export interface ReplayDeps {
  /** Sessions that differ from the record, since a handler before this one changed them. */
  changed: Sessions;
  /** Sessions in the records of the event's other runs. */
  others: Sessions;
  onWrite(key: string, before: Session | undefined, after: Session | undefined): void;
  onName(key: string, name: string): void;
  live?: LiveHttp | undefined;
  /** By default sessions that grant access to every API are rejected. */
  allowMasterKeys?: boolean | undefined;
  /** Only for a test: all data that exists. */
  world?: World | undefined;
}

/** All data that exists in a test: any other data is missing. */
export interface World {
  /** The answers that no run of the event has used; `isSame` decides which of them matches a call. */
  unused: CallRecord[];
  isSame(answer: CallRecord, call: Pick<CallRecord, "name" | "args">): boolean;
  /** For calls without an answer in the test. */
  storage: Storage;
  orgOf(apiId: string): string;
}

/**
 * The host of a rerun. A call gets the answer of the next equal call of the record; sessions include the writes of the
 * rerun itself. A call without a recorded answer fails the run. Nothing is written or sent.
 */
export function createReplayHost(recorded: RunRecord, deps: ReplayDeps): RunHost {
  const { handler, logs, writes, began = 0 } = recorded;
  const { live, world, allowMasterKeys = false } = deps;
  const { unused = [...recorded.calls], isSame = isSameCall } = world ?? {};
  const found = new Map([...deps.others, ...sessionsOf(recorded)]);
  const own = new Map(deps.changed);
  const names = new Map(Object.entries(recorded.names ?? {}));
  /**
   * The current name of a key's session. A session with the key itself as its name comes first, since the run may have
   * created it.
   */
  const nameOf = (key: string) => (own.get(key) ? key : (names.get(key) ?? key));
  const isKnown = (name: string) => own.has(name) || found.has(name);
  const current = (name: string) => (own.has(name) ? own.get(name) : found.get(name));
  /** The names of sessions by the keys with which the script has read them. */
  const read = new Map<string, string>();
  let failure: AppError | undefined;

  const buffer: RunBuffer = {
    async read(key) {
      // No session has the key as its name, or the record would not contain another name.
      return names.has(key) && !own.has(key) ? undefined : current(key);
    },
    fullNameOf: nameOf,
    write: async (name, { session }) => void own.set(name, session),
  };
  const real = createHost(
    {
      makeHttpRequest: async (request, run) => live?.makeHttpRequest(request, run),
      batchRequest: async (request, run) => live?.batchRequest(request, run),
      storage: world?.storage ?? { call: async () => undefined },
      allowMasterKeys,
      now: () => began,
    },
    {
      buffer,
      event: "",
      handler,
      log() {},
      onRead() {},
      onWrite: deps.onWrite,
      orgOf: world?.orgOf ?? (() => ""),
    },
  );

  /** The next equal call of the record. */
  function take(name: HostCallName, args: string[]): CallRecord | undefined {
    const at = unused.findIndex((call) => isSame(call, { name, args }));
    return at < 0 ? undefined : unused.splice(at, 1)[0];
  }

  /** Repeats all actions of the host from the record. */
  function repeat(then: CallRecord, scope: CallScope): string | undefined {
    if (then.requests !== undefined) scope.admit(then.requests);
    for (const { call, level, text } of logs) if (call === then.i) scope.log(level, text);
    if (then.failure) failure ??= new AppError(then.failure.code, then.failure.error);
    return then.answer;
  }

  function missing(what: string): undefined {
    failure ??= new AppError("not-recorded", `${what} is not in the record`);
  }

  function noteName(key: string, name: string): void {
    read.set(key, name);
    if (name !== key) deps.onName(key, name);
  }

  async function getKeyData(args: string[], then: CallRecord | undefined, scope: CallScope) {
    const [key = ""] = args;
    const name = nameOf(key);
    if (then && !own.has(name)) {
      if (then.answer !== MISS) noteName(key, name);
      return repeat(then, scope);
    }
    if (!isKnown(name)) {
      missing(`the session of key ${key}`);
      return MISS;
    }
    const answer = await real.call("getKeyData", args, scope);
    if (answer !== MISS) noteName(key, name);
    return answer;
  }

  /** If nothing differs, the recorded effect is used, with the members that scripts do not see. */
  async function change(
    name: "setKeyData" | "delKeyData",
    [key = "", ...rest]: string[],
    then: CallRecord | undefined,
    scope: CallScope,
  ): Promise<string | undefined> {
    const write = then && writes.find(({ call }) => call === then.i);
    const now = nameOf(key);
    if (name === "delKeyData" && now !== key && current(now)) deps.onName(key, now);
    if (then && !write) return repeat(then, scope);
    if (then && write && textOf(current(write.key)) === write.before) {
      const after = sessionOf(write.after);
      deps.onWrite(write.key, current(write.key), after);
      own.set(write.key, after);
      return repeat(then, scope);
    }
    if (name === "delKeyData" && !isKnown(now)) return missing(`the session of key ${key}`);
    const args = name === "setKeyData" ? [read.get(key) ?? key, ...rest] : [key, ...rest];
    return real.call(name, args, { ...scope, after: then?.t ?? scope.after });
  }

  async function request(
    name: "makeHttpRequest" | "batchRequest" | "storage",
    args: string[],
    then: CallRecord | undefined,
    scope: CallScope,
  ): Promise<string | undefined> {
    if (then) return repeat(then, scope);
    const isReal = name === "storage" ? world : live;
    if (isReal) return real.call(name, args, scope);
    return missing(`${name} with these arguments`);
  }

  return {
    log() {},
    begin: () => real.begin?.(began),
    get failure() {
      return failure ?? real.failure;
    },
    stuckFor: () => undefined,
    async call(name, args, scope) {
      if (world && isSessionCall(name)) return real.call(name, args, scope);
      const then = take(name, args);
      if (name === "getKeyData") return getKeyData(args, then, scope);
      if (name === "setKeyData" || name === "delKeyData") return change(name, args, then, scope);
      return request(name, args, then, scope);
    },
  };
}

/** The sessions as the run found them. */
export function sessionsOf({ calls, writes, names = {} }: RunRecord): Map<string, Session | undefined> {
  const own = new Map(Object.entries(names));
  const met = [
    ...calls.flatMap(({ i, name, args: [key = ""], answer, failure }) =>
      // A session that was not found was read by its own name, whatever API it was read for later.
      name === "getKeyData" && !failure
        ? { i, name: answer === MISS ? key : (own.get(key) ?? key), text: answer }
        : [],
    ),
    ...writes.map(({ i, key, before }) => ({ i, name: key, text: before })),
  ].sort((a, b) => a.i - b.i);
  const found = new Map<string, Session | undefined>();
  for (const { name, text } of met) if (!found.has(name)) found.set(name, sessionOf(text));
  return found;
}

/** Undefined for a missing session, and for a text that is not a session. */
function sessionOf(text: string | null | undefined): Session | undefined {
  if (!text || text === MISS) return undefined;
  try {
    return parseSession(text);
  } catch (thrown) {
    if (thrown instanceof AppError) return undefined;
    throw thrown;
  }
}

const textOf = (session: Session | undefined) => (session ? showSession(session) : null);
