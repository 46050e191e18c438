import { AppError, type ErrorCode } from "../errors.ts";
import type { Change, GatewayState } from "../sessions/item.ts";
import type { Session } from "../sessions/session.ts";
import type { Absence } from "./absence.ts";
import { type Answer, type Gateway, type Look, saysNotHashed } from "./client.ts";
import { creationName, readToken } from "./key-name.ts";
import { governed, type Members, merge } from "./merge.ts";
import { fullQuota, hasQuota } from "./quota.ts";
import { asMembers, asSession, asTheirs, createdOf, isBornHere, type Row, type SettledRow } from "./row.ts";

/** Why a change was rejected, or made only in part. */
export interface Rejection {
  operation: "put" | "create" | "delete";
  /** The HTTP status of the gateway's answer; 0 if there was no request. */
  status: number;
  message: string;
}

/** The result for the row. */
export type Settled =
  /** The row with the gateway's session. */
  | SettledRow
  /** Neither side has the key. */
  | { kind: "remove" }
  /** Unknown; check again. */
  | { kind: "unknown" };

/** `now` in ms. */
export interface SettleDeps {
  absence: (gateway: Gateway, key: string) => Promise<Absence>;
  /** Whether one more deleted key is accepted: many could mean that the gateway's store was emptied. */
  admit: () => Promise<boolean>;
  /** Called for each rejected change. */
  reject: (row: Row, rejection: Rejection) => Promise<void>;
  /** Called for members whose change a policy of the key overrules. */
  overrule: (row: Row, members: string[]) => void;
  /**
   * Sets `reset` to "asked" in the table before the request; returns the new version, undefined if others were first.
   */
  markReset: (row: Row) => Promise<number | undefined>;
  pause: (ms: number) => Promise<void>;
  now: () => number;
  /** How long the gateway's cache may hold an older session, in ms; 0 without a cache. */
  cacheMs: number;
  /** The age from which a change that the gateway answers with its own 500 is rejected, in ms. */
  giveUpMs: number;
  /** Whether the row's name is a hash: no key can be created with one. */
  hashed: boolean;
}

const UNHELD: ReadonlySet<ErrorCode> = new Set(["session-invalid", "session-too-large"]);

/** After how many ms a change is checked for the first time. */
const SOON_MS = 50;
/** How often a change that the gateway undid is sent again. */
const REPEATS = 3;

/**
 * Settles one key between both sides. The gateway owns the session: our change is applied to its current session, and a
 * key that it has deleted is never created again. Throws dependency-failed if the gateway is unavailable.
 */
export function createSettle(deps: SettleDeps) {
  const { reject } = deps;

  return async (row: Row, gateway: Gateway): Promise<Settled> => {
    try {
      return await settle(row, gateway);
    } catch (thrown) {
      if (!(thrown instanceof AppError) || !UNHELD.has(thrown.code)) throw thrown;
      const message = `the table cannot hold what the gateway has: ${thrown.message}`;
      if (row.gateway.change) await reject(row, { operation: operationOf(row), status: 0, message });
      return { kind: "row", session: row.session, gateway: withoutChange(row.gateway) };
    }
  };

  async function settle(row: Row, gateway: Gateway): Promise<Settled> {
    const look = await gateway.get(row.key);
    if (look === "missing") return whenMissing(row, gateway);
    const { created } = row.gateway;
    const { change } = row.gateway;
    if (!change) return asTheirs(look);
    const isOther = created !== undefined ? created !== createdOf(look.session) : change.base === null;
    if (isOther) return whenOther(row, change, look);
    return row.session ? carry(row, row.session, change, look, gateway) : remove(row, change, look, gateway);
  }

  /** The key was created again, or by another writer first: our change is not meant for that key. */
  async function whenOther(row: Row, change: Change, look: Exclude<Look, "missing">): Promise<Settled> {
    if (change.until === undefined)
      await reject(row, {
        operation: operationOf(row),
        status: 0,
        message: "the gateway has another key of this name",
      });
    const until = change.until ?? deps.now() + deps.cacheMs;
    // A request in progress may restore the key that we removed, in place of the other.
    if (row.gateway.created !== undefined && !row.session && until > deps.now())
      return asIs({ ...row, gateway: { ...row.gateway, change: { ...change, until } } }, deps.now());
    return asTheirs(look);
  }

  async function whenMissing(row: Row, gateway: Gateway): Promise<Settled> {
    if (isWatchedRemoval(row)) return asIs(row, deps.now());
    const absence = await deps.absence(gateway, row.key);
    if (absence !== "absent") return { kind: "unknown" };
    const { change } = row.gateway;
    if (isBornHere(row)) return row.session ? create(row, row.session, gateway) : { kind: "remove" };
    // Our own deletion, whose response was lost, or another writer's: it may be undone as well.
    if (change && !row.session && change.until === undefined) return watchedRemoval(row, change);
    const isOurs = change !== undefined && !row.session;
    if (!isOurs && !(await deps.admit())) return { kind: "unknown" };
    if (change && row.session)
      await reject(row, { operation: "put", status: 404, message: "the gateway has deleted this key" });
    return { kind: "row", session: undefined, gateway: tombstone(row) };
  }

  /** Whether it was deleted as we wanted, and may be restored until then. */
  function isWatchedRemoval({ session, gateway: { change } }: Row): boolean {
    return !session && change?.until !== undefined && change.until > deps.now();
  }

  async function create(row: Row, session: Session, gateway: Gateway): Promise<Settled> {
    const name = creationName(readToken(row.key)?.h ?? "", session.org_id ?? "", row.key);
    const problem = await creationProblem(row.key, name, gateway);
    if (name === undefined || problem)
      return giveUp(row, { operation: "create", status: 0, message: problem ?? "" });
    const answer = await gateway.create(name, asMembers(session));
    if (answer.kind !== "done") return whenNotTaken(row, "create", answer);
    await deps.pause(SOON_MS);
    const look = await gateway.get(row.key);
    return look === "missing" ? { kind: "unknown" } : asTheirs(look);
  }

  /** A key that is created with a hash as its name would be a new credential, with the hash as its raw key. */
  async function creationProblem(
    key: string,
    name: string | undefined,
    gateway: Gateway,
  ): Promise<string | undefined> {
    if (deps.hashed) return "a key that is named by its hash cannot be made";
    if (name === undefined) return "no name makes this very key";
    if (!/^[0-9a-f]+$/i.test(key)) return undefined;
    const listed = await gateway.get(key, { hashed: true }).catch((thrown: unknown) => {
      if (saysNotHashed(thrown)) return "missing" as const;
      throw thrown;
    });
    return listed === "missing" ? undefined : "it is the hash of a key that the gateway has";
  }

  async function carry(
    row: Row,
    session: Session,
    change: Change,
    { session: theirs }: Exclude<Look, "missing">,
    gateway: Gateway,
  ): Promise<Settled> {
    const wanted = differenceTo(theirs, session, change);
    if (change.until === undefined && wanted.refused.length > 0) {
      const message = `${wanted.refused.join(", ")} cannot be changed: the gateway's stays`;
      await reject(row, { operation: "put", status: 0, message });
    }
    // A policy that overruled a change once will always do so.
    const lost = change.until === undefined ? wanted.changed : withoutOverruled(row, wanted.changed, theirs);
    const reset = change.reset === "wanted";
    if (lost.length === 0 && !reset) return whenThere(session, change, theirs);
    const undone = undoneTimes(change);
    if (undone > REPEATS) {
      const message = `the gateway has undone it ${undone} times: ${lost.join(", ")}`;
      return giveUp(row, { operation: "put", status: 200, message }, theirs);
    }
    const version = reset ? await deps.markReset(row) : row.version;
    if (version === undefined) return { kind: "unknown" };
    const sent = reset ? fullQuota(wanted.session) : wanted.session;
    const answer = await gateway.put(row.key, sent, { reset });
    // It is never created after that: its absence must be proven like any other.
    if (answer.kind === "missing") return { kind: "unknown" };
    if (answer.kind !== "done") return whenNotTaken(row, "put", answer, theirs);
    await deps.pause(SOON_MS);
    const look = await gateway.get(row.key);
    if (look === "missing" || createdOf(look.session) !== createdOf(theirs)) return { kind: "unknown" };
    return { ...afterPut(row, session, { ...change, undone }, look.session), version };
  }

  /** Members whose change was undone, except for those that a policy sets. */
  function withoutOverruled(row: Row, changed: string[], theirs: Members): string[] {
    const overruled = governed(changed, theirs);
    if (overruled.length > 0) deps.overrule(row, overruled);
    return changed.filter((name) => !overruled.includes(name));
  }

  /**
   * There is nothing to send: the change was made, possibly by an invocation that ended before it could record that.
   */
  function whenThere(session: Session, change: Change, theirs: Members): Settled {
    const base = asMembers(change.base ?? {});
    const isChange = merge(base, asMembers(session), base).changed.length > 0;
    const isOver = change.until !== undefined && change.until <= deps.now();
    return isChange && !isOver ? watched(session, change, theirs) : asTheirs({ session: theirs });
  }

  /** The gateway's session after our change. */
  function afterPut(row: Row, session: Session, change: Change, now: Members): SettledRow {
    const left = differenceTo(now, withoutPassword(session), change);
    const lost = withoutOverruled(row, left.changed, now);
    if (lost.length === 0) return watched(session, { ...change, until: undefined }, now);
    const gateway = { created: createdOf(now), change: watchedChange(session, change, now, deps.now()) };
    return { kind: "row", session: asSession(left.session), gateway, later: SOON_MS };
  }

  /** The row with the gateway's session, and our change as long as the gateway's cache may undo it. */
  function watched(session: Session, change: Change, theirs: Members): SettledRow {
    const settled = asTheirs({ session: theirs });
    if (!canBeUndone(theirs, deps.cacheMs)) return settled;
    const until = change.until ?? deps.now() + deps.cacheMs;
    const gateway = { ...settled.gateway, change: watchedChange(session, change, theirs, until) };
    return { ...settled, gateway, later: Math.max(0, until - deps.now()) };
  }

  async function remove(
    row: Row,
    change: Change,
    { session: theirs }: Exclude<Look, "missing">,
    gateway: Gateway,
  ): Promise<Settled> {
    const undone = undoneTimes(change);
    if (undone > REPEATS) {
      const message = `the gateway has brought the key back ${undone} times`;
      return giveUp(row, { operation: "delete", status: 200, message }, theirs);
    }
    const answer = await gateway.remove(row.key, typeof theirs.org_id === "string" ? theirs.org_id : "");
    if (answer.kind !== "done" && answer.kind !== "missing")
      return whenNotTaken(row, "delete", answer, theirs);
    return watchedRemoval(row, { ...change, undone }, createdOf(theirs));
  }

  /** The gateway's cache may restore it, whatever the key's quota, since a request may be in progress. */
  function watchedRemoval({ gateway }: Row, change: Change, created = gateway.created): Settled {
    const later = Math.max(deps.cacheMs, SOON_MS);
    const state = {
      ...(created !== undefined && { created }),
      change: { ...change, until: deps.now() + later },
    };
    return { kind: "row", session: undefined, gateway: state, later };
  }

  async function whenNotTaken(
    row: Row,
    operation: Rejection["operation"],
    answer: Exclude<Answer, { kind: "done" }>,
    theirs?: Members,
  ): Promise<Settled> {
    if (answer.kind === "missing") return { kind: "unknown" };
    const age = deps.now() - (row.gateway.change?.since ?? 0);
    if (answer.kind === "failed" && age < deps.giveUpMs)
      throw new AppError("dependency-failed", `the gateway answered ${answer.status} ${answer.message}`);
    return giveUp(row, { operation, status: answer.status, message: answer.message }, theirs);
  }

  /** Our change is rejected; the row gets the gateway's session. */
  async function giveUp(row: Row, rejection: Rejection, theirs?: Members): Promise<Settled> {
    await reject(row, rejection);
    if (theirs) return asTheirs({ session: theirs });
    return { kind: "row", session: row.session, gateway: withoutChange(row.gateway) };
  }
}

/** The gateway's session with our change, and the members that differ. */
const differenceTo = (theirs: Members, session: Session, { base }: Change) =>
  merge(asMembers(base ?? {}), asMembers(session), theirs);

/** The change in the gateway's session: its base is that session without the change. */
function watchedChange(session: Session, change: Change, theirs: Members, until: number): Change {
  const { reset: _, ...rest } = change;
  const base = merge(asMembers(session), asMembers(change.base ?? {}), theirs).session;
  return { ...rest, base: asSession(base), until };
}

/** How often the gateway has undone a change, including this time. */
const undoneTimes = ({ undone = 0, until }: Change) => undone + (until === undefined ? 0 : 1);

/** Whether the gateway's cache could undo a change: with a quota each request writes the whole session. */
const canBeUndone = (session: Members, cacheMs: number) => cacheMs > 0 && hasQuota(session);

/** The state of a row whose key the gateway has deleted. */
const tombstone = ({ gateway: { created } }: Row): GatewayState => ({
  ...(created !== undefined && { created }),
  gone: true,
});

function withoutChange({ change: _change, look: _look, ...rest }: GatewayState): GatewayState {
  return rest;
}

/** The gateway never shows it, so it cannot be verified. */
function withoutPassword({ basic_auth_data: _, ...rest }: Session): Session {
  return rest;
}

/** The row without the doubt, otherwise unchanged. */
function asIs({ session, gateway: { look: _, ...rest } }: Row, now: number): Settled {
  const later = Math.max(0, (rest.change?.until ?? now) - now);
  return { kind: "row", session, gateway: rest, later };
}

const operationOf = ({ session }: Row) => (session ? "put" : "delete") as Rejection["operation"];
