import { errorText } from "../errors.ts";
import type { Log } from "../log.ts";
import type { Metrics } from "../metrics.ts";
import type { SendRefusal } from "./dead-letters.ts";
import type { Gateway } from "./gateway.ts";
import type { Claimed, ParkedChanges } from "./parked.ts";
import { createReport, referenceTo } from "./report.ts";
import { ask, isDecided, textOf } from "./verdict.ts";

export interface RetryDeps {
  connect: () => Gateway;
  parked: ParkedChanges;
  sendRefusal: SendRefusal;
  /** How long after its first retry a change is tried again; twice as long after each further one. */
  retrySeconds: number;
  /** The age at which a change is refused instead of tried again. */
  giveUpSeconds: number;
  /** What one change may need, in ms. */
  changeMs: number;
  now: () => number;
  log: Log;
  metrics: Metrics;
}

/** Tries the parked changes that are due, as far as the invocation's time reaches. */
export type Retry = (timeLeft: () => number) => Promise<void>;

const MAX_RETRY_SECONDS = 900;
/** Of so many in a row and not one before them: the gateway is away, and the next invocation looks again. */
const MISSES = 5;
/** How much the clocks of two containers may differ. */
const CLOCKS_MS = 10_000;

export function createRetry(deps: RetryDeps): Retry {
  const { parked, log, metrics } = deps;
  const report = createReport(deps);

  /** Whether the gateway decided it. */
  async function retry(claimed: Claimed, gateway: Gateway): Promise<boolean> {
    const { change, attempts, since } = claimed;
    const verdict = await ask(change, gateway);
    const old = deps.now() - change.at * 1000 >= deps.giveUpSeconds * 1000;
    if (verdict.kind === "failed" && !old) {
      metrics.observe("SyncParkedAge", deps.now() - since);
      log.warn("parked change repeated", { ...referenceTo(change), attempts, error: textOf(verdict) });
      const seconds = Math.min(MAX_RETRY_SECONDS, deps.retrySeconds * 2 ** (attempts + 1));
      await parked.postpone(claimed, deps.now() + seconds * 1000);
      return false;
    }
    if (verdict.kind === "taken") report.taken(change, verdict);
    else await report.refused(change, verdict);
    await parked.forget(claimed);
    return isDecided(verdict);
  }

  return async (timeLeft) => {
    const gateway = deps.connect();
    let misses = 0;
    let decided = 0;
    let failure: unknown;
    try {
      for await (const id of parked.due()) {
        if (timeLeft() < deps.changeMs || (decided === 0 && misses === MISSES)) break;
        try {
          // Longer than this invocation can live, so that what it sends last cannot meet what another one sends.
          const claimed = await parked.claim(id, deps.now() + timeLeft() + CLOCKS_MS);
          if (!claimed) continue;
          if (await retry(claimed, gateway)) decided += 1;
          else misses += 1;
        } catch (thrown) {
          // Table or queue: the others are tried all the same, and the invocation fails.
          log.error("parked change left", { error: errorText(thrown) });
          failure ??= thrown;
          misses += 1;
        }
      }
    } finally {
      await gateway.close();
    }
    if (failure) throw failure;
  };
}
