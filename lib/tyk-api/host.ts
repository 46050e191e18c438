import type { RunBuffer } from "../commit/unit-of-work.ts";
import { type TransactionError, transactionErrorOf } from "../dynamo/transaction-error.ts";
import { AppError, type ErrorCode, errorText } from "../errors.ts";
import type { CallScope, Host } from "../runtime/host.ts";
import { HOST_CALLS, type HostCallName } from "../runtime/protocol.ts";
import type { ChangedBy } from "../sessions/item.ts";
import { isStorableKey, KEY_BYTES, storableBytes } from "../sessions/limits.ts";
import {
  applySet,
  keepPassword,
  MISS,
  parseSession,
  type Session,
  showSession,
} from "../sessions/session.ts";
import { keepUnknown } from "../sessions/whole.ts";
import type { Storage } from "./storage.ts";

/** Sends a script's HTTP requests; returns the JSON response of the gateway's API, or undefined if it failed. */
export type SendHttp = (request: string, run: HttpRun) => Promise<string | undefined>;

/** The run that sends a request. */
export interface HttpRun extends CallScope {
  /** The key for the n-th request of a run that may change something: the same at every delivery of the event. */
  idempotencyKey: () => string;
}

/** The dependencies of the API for all runs; `now` in ms since 1970. */
export interface HostDeps {
  makeHttpRequest: SendHttp;
  batchRequest: SendHttp;
  storage: Storage;
  allowMasterKeys: boolean;
  now: () => number;
}

/** The data of one run. */
export interface HostRun {
  buffer: RunBuffer;
  /** The identity of its event. */
  event: string;
  handler: string;
  /** The author of the sessions that it writes. */
  changedBy?: ChangedBy;
  log: Host["log"];
  onRead: (key: string) => void;
  /** Called for a key whose session has another name. */
  onName?: ((key: string, name: string) => void) | undefined;
  /** Called with each change of the run; undefined for a missing session. */
  onWrite?: (key: string, before: Session | undefined, after: Session | undefined) => void;
  /** The organisation of an API; "" if the release does not have the API. */
  orgOf: (apiId: string) => string;
}

/** The host's side of one run. */
export interface RunHost extends Host {
  /**
   * A failure of a dependency, such as the table. The script got a wrong result, so its changes must be discarded: the
   * run failed.
   */
  readonly failure: AppError | undefined;
  /** The call to a table that has been waiting for longer than this number of ms, if any. */
  stuckFor(ms: number): HostCallName | undefined;
}

/** The gateway's JavaScript API on top of the unit of work. */
export function createHost(deps: HostDeps, run: HostRun): RunHost {
  let given = deps.now();
  let sent = 0;
  let failure: AppError | undefined;
  let waiting: { name: HostCallName; since: number } | undefined;
  /**
   * The names of the sessions that were read, by key: a session that a script reads by a short name is written by that
   * name too.
   */
  const names = new Map<string, string>();
  const idempotencyKey = () => {
    sent += 1;
    return headerText(`${run.event}:${run.handler}:${sent}`);
  };

  const calls: Record<HostCallName, (args: string[], scope: CallScope) => Promise<string | undefined>> = {
    async getKeyData([key = "", apiId = ""]) {
      run.onRead(key);
      const { name, session } = await findSession(run, key, apiId);
      if (session) names.set(key, name);
      return session ? showSession(session) : MISS;
    },
    async setKeyData([key = "", text = "", suppressReset = ""], { after }) {
      if (!isStorableKey(key)) throw new AppError("session-refused", `a key has 1 to ${KEY_BYTES} bytes`);
      const name = names.get(key) ?? key;
      const stored = await run.buffer.read(name);
      const set = applySet(keepPassword(parseSession(text), stored), {
        suppressReset: suppressReset === "1",
        now: Math.floor((given + after) / 1000), // also for what the run reads later
        allowMasterKeys: deps.allowMasterKeys,
      });
      const session = keepUnknown(set, stored);
      const bytes = storableBytes(session) + Buffer.byteLength(name);
      const by = run.changedBy && { changedBy: run.changedBy };
      await run.buffer.write(name, { session, bytes, reset: suppressReset !== "1", ...by });
      run.onWrite?.(name, stored, session);
      return undefined;
    },
    async delKeyData([key = "", apiId = ""]) {
      const { name, session } = await findSession(run, key, apiId);
      if (!session) return undefined;
      await run.buffer.write(name, { session: undefined });
      run.onWrite?.(name, session, undefined);
      return undefined;
    },
    makeHttpRequest: ([request = ""], scope) => deps.makeHttpRequest(request, { ...scope, idempotencyKey }),
    batchRequest: ([request = ""], scope) => deps.batchRequest(request, { ...scope, idempotencyKey }),
    async storage([operation = "", key = "", value = "", ttl = "0"]) {
      const answer = { error: null as string | null, value: null as unknown };
      try {
        answer.value = await deps.storage.call(operation, key, value, Number(ttl));
      } catch (thrown) {
        // The only functions that throw; errors of a dependency have the gateway's message.
        if (!(thrown instanceof AppError)) throw thrown;
        answer.error = thrown.message;
      }
      return JSON.stringify(answer);
    },
  };

  return {
    log: run.log,
    begin(at = deps.now()) {
      given = at;
    },
    gave(key) {
      run.onRead(key);
      run.buffer.gave?.(key);
    },
    get failure() {
      return failure;
    },
    stuckFor: (ms) => (waiting && deps.now() - waiting.since > ms ? waiting.name : undefined),
    async call(name, args, scope) {
      if (asksTable(name)) waiting = { name, since: deps.now() };
      try {
        return await calls[name](args, scope);
      } catch (thrown) {
        failure ??= failureOf(name, thrown);
        scope.log("error", `${name} failed: ${errorText(thrown)}`);
        return name === "getKeyData" ? MISS : undefined;
      } finally {
        waiting = undefined;
      }
    },
  };
}

/** Encodes any text for a header; different texts stay different. */
const headerText = (text: string) => text.replace(/[^\x21-\x24\x26-\x7e]/gu, encodeURIComponent);

const asksTable = (name: HostCallName) => HOST_CALLS[name] !== "http";

/** Errors of the script's call are reported to the script; failures of a dependency fail the run. */
function failureOf(name: HostCallName, thrown: unknown): AppError | undefined {
  const code = thrown instanceof AppError ? thrown.code : codeOf(thrown);
  if (!RUN_FAILS.has(code)) return undefined;
  return new AppError(code, `${name}: ${errorText(thrown)}`, { cause: thrown });
}

const RUN_FAILS: ReadonlySet<ErrorCode> = new Set(["dependency-failed", "session-unfit", "runtime-failed"]);

/** A rejected or an unknown error does not affect the next event: it is not an outage. */
const codeOf = (thrown: unknown) =>
  ALONE.has(transactionErrorOf(thrown).kind) ? "runtime-failed" : "dependency-failed";

const ALONE: ReadonlySet<TransactionError["kind"]> = new Set(["unfit", "strange", "changed"]);

/** A key that is not found by its own name may be a custom key, which the gateway stores under another name. */
async function findSession(
  { buffer, orgOf, onName }: HostRun,
  key: string,
  apiId: string,
): Promise<{ name: string; session: Session | undefined }> {
  const orgId = orgOf(apiId);
  const session = isStorableKey(key) ? await buffer.read(key, { apiId, orgId }) : undefined;
  if (session) return { name: key, session };
  const known = buffer.fullNameOf(key);
  const name = known === key ? `${orgId}${key}` : known;
  if (name === key || !isStorableKey(name)) return { name: key, session: undefined };
  const found = await buffer.read(name);
  if (found) onName?.(key, name);
  return { name, session: found };
}
