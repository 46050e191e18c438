import { AppError, errorText } from "../errors.ts";
import type { Log } from "../log.ts";
import type { RateLimit } from "../rate-limit.ts";
import type { Gateway, Look } from "./client.ts";
import { shortKeyDigest } from "./key-digest.ts";
import { showsTheirs } from "./row.ts";
import type { Copy, Rows } from "./rows.ts";

/** What a comparison has come to so far, in rows. */
export interface Tally {
  /** The gateway was asked for their keys. */
  compared: number;
  /** Of these, those that do not show what it has. */
  differing: number;
  /** Of these, those whose key it does not show, which is not believed. */
  held: number;
  /** Of these, those that were made to show that it has deleted the key. */
  settled: number;
  /** Not asked for: something is on its way, or their key is never asked for. */
  passed: number;
  /** The gateway or the table did not answer, or has what the other cannot hold. */
  failed: number;
}

/** A tally to begin with; the comparison changes it in place. */
export const emptyTally = (): Tally => ({
  compared: 0,
  differing: 0,
  held: 0,
  settled: 0,
  passed: 0,
  failed: 0,
});

/** Why a comparison ended. */
export type End =
  /** The table has no further row. */
  | "through"
  /** `pace` answered false. */
  | "stopped"
  /** Nothing answered several times, one after the other. */
  | "away"
  /** The gateway does not show its canary: it shows no key for sure. */
  | "emptied";

/** What was done about a row whose key the gateway does not show. */
export type Missing = "doubted" | "held" | "settled" | "emptied";

/** `now` in ms. `pace` and `concurrency` limit the load on the gateway. */
export interface ReconcileDeps {
  gateway: Pick<Gateway, "get">;
  rows: Pick<Rows, "page" | "copy" | "doubt">;
  /** False for the canary, and for keys that are never to be asked for. */
  isAsked: (key: string) => boolean;
  whenMissing: (copy: Copy) => Promise<Missing>;
  /** Whether `whenMissing` is for rows too on which something is on its way. */
  withPending: boolean;
  /** Waits before each request; false when it is time to end. */
  pace: RateLimit;
  /** Requests at the same time. */
  concurrency: number;
  now: () => number;
  log: Log;
}

const PAGE_ROWS = 100;
/** After this number of failures with no answer between them, it is not a matter of the keys. */
const FAILURES = 5;
/** A stream keeps its records for a day: what is on its way for longer may have been lost with them. */
const LOST_MS = 86_400_000;

/**
 * Compares the rows of the sessions table with the gateway, since some changes there fire no event. A row that differs
 * is put in doubt, and the stream's function settles it: here nothing is made, changed or deleted. Answers why it
 * ended, and the key after which it is to go on.
 */
export function createReconcile(deps: ReconcileDeps) {
  const { gateway, rows, isAsked, pace, log } = deps;

  function isPassed({ key, gateway: state }: Copy): boolean {
    if (!isAsked(key)) return true;
    return !deps.withPending && isOnItsWay(state, deps.now());
  }

  /** Whether the row has changed since it was read: then a difference does not come from the gateway. */
  const isOld = async ({ key, version }: Copy) => (await rows.copy(key))?.version !== version;

  async function compare(copy: Copy, tally: Tally): Promise<End | undefined> {
    const look = await gateway.get(copy.key);
    // Each doubt has the key come again until it is settled: of one that is on its way, one is enough.
    if (look !== "missing" && isOnItsWay(copy.gateway, deps.now())) {
      tally.passed += 1;
      return undefined;
    }
    if (shows(copy, look, deps.now()) || (await isOld(copy))) {
      tally.compared += 1;
      return undefined;
    }
    const done = look === "missing" ? await deps.whenMissing(copy) : await doubt(copy);
    tally.compared += 1;
    tally.differing += 1;
    if (done === "settled") tally.settled += 1;
    if (done === "held" || done === "emptied") tally.held += 1;
    return done === "emptied" ? done : undefined;
  }

  async function doubt({ key }: Copy): Promise<Missing> {
    await rows.doubt(key);
    return "doubted";
  }

  return async (from: string | undefined, tally: Tally): Promise<{ end: End; after: string | undefined }> => {
    const underWay = new Set<Promise<void>>();
    let failures = 0;
    let ended: End | undefined;

    async function work(copy: Copy): Promise<void> {
      try {
        // In a name of its own: `ended ??= await …` would write over what another row has ended meanwhile.
        const end = await compare(copy, tally);
        ended ??= end;
        failures = 0;
      } catch (thrown) {
        log.warn("session not compared", { key_hash: shortKeyDigest(copy.key), error: errorText(thrown) });
        tally.failed += 1;
        failures = thrown instanceof AppError && thrown.code !== "dependency-failed" ? 0 : failures + 1;
        if (failures >= FAILURES) ended ??= "away";
      }
    }

    /** The key after which to go on, when it ends before the page does. */
    async function comparePage(copies: Copy[], before: string | undefined): Promise<string | undefined> {
      let after = before;
      for (const copy of copies) {
        if (isPassed(copy)) tally.passed += 1;
        else {
          if (!(await pace(1))) ended ??= "stopped";
          if (ended) break;
          const working = work(copy).finally(() => underWay.delete(working));
          underWay.add(working);
          if (underWay.size >= deps.concurrency) await Promise.race(underWay);
        }
        after = copy.key;
      }
      await Promise.all(underWay);
      // What was not answered, or not to be believed, is to be asked again.
      return ended === "away" || ended === "emptied" ? before : after;
    }

    for (let after = from; ; ) {
      if (!(await pace(0))) return { end: "stopped", after };
      const { copies, next } = await rows.page(after, PAGE_ROWS);
      const reached = await comparePage(copies, after);
      if (ended) return { end: ended, after: reached };
      if (next === undefined) return { end: "through", after: undefined };
      after = next;
    }
  };
}

/** Whether the stream's function is about to look at the row, or carries a change of it. */
function isOnItsWay(state: Copy["gateway"], now: number): boolean {
  if (!state?.change && state?.look === undefined) return false;
  return Math.max(state.change?.since ?? 0, state.look ?? 0) > now - LOST_MS;
}

/** Whether a row shows what the gateway has. */
function shows({ session, gateway }: Copy, look: Look, now: number): boolean {
  // Of what was on its way for too long it is not known whether it ever arrives.
  if (!gateway || ((gateway.change || gateway.look !== undefined) && !isOnItsWay(gateway, now))) return false;
  if (look === "missing") return gateway.gone === true;
  try {
    return showsTheirs({ session, gateway }, look.session);
  } catch (thrown) {
    // What was edited by hand to no session shows nothing.
    if (thrown instanceof AppError && thrown.code === "session-invalid") return false;
    throw thrown;
  }
}
