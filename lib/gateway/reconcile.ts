import { AppError, errorText } from "../errors.ts";
import type { Log } from "../log.ts";
import type { RateLimit } from "../rate-limit.ts";
import type { Gateway, Look } from "./client.ts";
import { shortKeyDigest } from "./key-digest.ts";
import { showsTheirs } from "./row.ts";
import type { Copy, Rows } from "./rows.ts";

/** The counts of a comparison so far, in rows. */
export interface Tally {
  /** Rows whose keys were read from the gateway. */
  compared: number;
  /** Those of them that differ. */
  differing: number;
  /** Those of them whose key is missing there without proof. */
  held: number;
  /** Those of them that became tombstones. */
  settled: number;
  /** Skipped rows: they have a pending change, or their key is never requested. */
  passed: number;
  /** Failures: the gateway or the table did not answer, or has a session that the other cannot hold. */
  failed: number;
}

/** An empty tally; the comparison changes it in place. */
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
  /** `pace` returned false. */
  | "stopped"
  /** Several consecutive failures. */
  | "away"
  /** The gateway does not have its canary, so its answers about missing keys are not reliable. */
  | "emptied";

/** What was done about a row whose key is missing at the gateway. */
export type Missing = "doubted" | "held" | "settled" | "emptied";

/** `now` in ms. `pace` and `concurrency` limit the load on the gateway. */
export interface ReconcileDeps {
  gateway: Pick<Gateway, "get">;
  rows: Pick<Rows, "page" | "copy" | "doubt">;
  /** False for the canary, and for keys that are never requested. */
  isAsked: (key: string) => boolean;
  whenMissing: (copy: Copy) => Promise<Missing>;
  /** Whether `whenMissing` also handles rows with a pending change. */
  withPending: boolean;
  /** Waits before each request; false if it is time to end. */
  pace: RateLimit;
  /** Concurrent requests. */
  concurrency: number;
  now: () => number;
  log: Log;
}

const PAGE_ROWS = 100;
/** After this number of consecutive failures, the keys are not the cause. */
const FAILURES = 5;
/** A stream keeps its records for a day: a change that is pending for longer may have been lost. */
const LOST_MS = 86_400_000;

/**
 * Compares the rows of the sessions table with the gateway, since some changes there fire no event. A row that differs
 * is marked as in doubt, and gateway-sync settles it; this function creates, changes and deletes nothing. Returns why
 * it ended, and the key after which to continue.
 */
export function createReconcile(deps: ReconcileDeps) {
  const { gateway, rows, isAsked, pace, log } = deps;

  function isPassed({ key, gateway: state }: Copy): boolean {
    if (!isAsked(key)) return true;
    return !deps.withPending && isOnItsWay(state, deps.now());
  }

  /** Whether the row has changed since it was read: then the difference is not a change at the gateway. */
  const isOld = async ({ key, version }: Copy) => (await rows.copy(key))?.version !== version;

  async function compare(copy: Copy, tally: Tally): Promise<End | undefined> {
    const look = await gateway.get(copy.key);
    // A row in doubt is retried until it is settled, so it need not be marked again.
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
        // In a separate variable: `ended ??= await …` would overwrite a value that another row has set in the meantime.
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

    /** The key after which to continue, if it ends before the end of the page. */
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
      // Rows without a reliable answer must be read again.
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

/** Whether gateway-sync will check the row, or has a pending change of it. */
function isOnItsWay(state: Copy["gateway"], now: number): boolean {
  if (!state?.change && state?.look === undefined) return false;
  return Math.max(state.change?.since ?? 0, state.look ?? 0) > now - LOST_MS;
}

/** Whether a row has the gateway's session. */
function shows({ session, gateway }: Copy, look: Look, now: number): boolean {
  // A change that is pending for too long may never arrive.
  if (!gateway || ((gateway.change || gateway.look !== undefined) && !isOnItsWay(gateway, now))) return false;
  if (look === "missing") return gateway.gone === true;
  try {
    return showsTheirs({ session, gateway }, look.session);
  } catch (thrown) {
    // A row that is invalid after a manual edit differs.
    if (thrown instanceof AppError && thrown.code === "session-invalid") return false;
    throw thrown;
  }
}
