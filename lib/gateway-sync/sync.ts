import { AppError, errorText } from "../errors.ts";
import type { Log } from "../log.ts";
import type { Metrics } from "../metrics.ts";
import { type Change, lastChanges, type StreamRecord } from "./changes.ts";
import type { SendRefusal } from "./dead-letters.ts";
import type { Gateway } from "./gateway.ts";
import { isParkable, type ParkedChanges } from "./parked.ts";
import { createReport, referenceTo } from "./report.ts";
import { ask, isDecided, textOf, type Verdict } from "./verdict.ts";

export interface GatewaySyncDeps {
  /** For one invocation: a connection that outlives it may be dead at the next one. */
  connect: () => Gateway;
  parked: ParkedChanges;
  sendRefusal: SendRefusal;
  /** Up to which age a change holds the stream while the gateway takes no other one either. */
  holdSeconds: number;
  /** How long after it was parked a change is tried again. */
  retrySeconds: number;
  /** What one change may need, in ms. */
  changeMs: number;
  now: () => number;
  log: Log;
  metrics: Metrics;
}

/**
 * Carries the changes of a batch to the gateway, one after the other. Returns the sequence number of the first
 * record that is not proven done, from which the stream has to go on; undefined when all are done.
 */
export type GatewaySync = (records: StreamRecord[], timeLeft: () => number) => Promise<string | undefined>;

interface Asked {
  change: Change;
  /** `joined`: its key has a parked change, which it has replaced. */
  verdict: Verdict | { kind: "joined" };
}

export function createGatewaySync(deps: GatewaySyncDeps): GatewaySync {
  const { parked, log, metrics } = deps;
  const report = createReport(deps);

  /** All that there is time for, and that can be. A key has one change here, so none of them waits for another. */
  async function askAll(changes: Change[], timeLeft: () => number): Promise<Asked[]> {
    const gateway = deps.connect();
    const asked: Asked[] = [];
    try {
      const waiting = await parked.among(changes.map(({ key }) => key));
      for (const change of changes) {
        // The first one is always tried, so that each invocation gets on.
        if (asked.length > 0 && timeLeft() < deps.changeMs) break;
        const joined = waiting.has(change.key) ? await join(change) : undefined;
        const verdict = joined ?? (await ask(change, gateway));
        if (verdict.kind === "taken") report.taken(change, verdict);
        asked.push({ change, verdict });
      }
    } catch (thrown) {
      log.warn("changes repeated", { error: errorText(thrown) });
    } finally {
      await gateway.close();
    }
    return asked;
  }

  /** Undefined when the key has no parked change any more. */
  async function join(change: Change): Promise<Asked["verdict"] | undefined> {
    if (!isParkable(change)) return undefined;
    try {
      return (await parked.join(change)) ? { kind: "joined" } : undefined;
    } catch (thrown) {
      return unkept(thrown);
    }
  }

  /** Whether the change is done, for the stream. */
  async function settle({ change, verdict }: Asked, gatewayIsThere: boolean): Promise<boolean> {
    if (verdict.kind === "taken" || verdict.kind === "joined") return true;
    if (verdict.kind === "refused" || !isParkable(change)) {
      await report.refused(change, verdict);
      return true;
    }
    const young = deps.now() - change.at * 1000 < deps.holdSeconds * 1000;
    if (!gatewayIsThere && young) {
      log.warn("change repeated", { ...referenceTo(change), error: textOf(verdict) });
      return false;
    }
    try {
      await parked.park(change, deps.now() + deps.retrySeconds * 1000);
    } catch (thrown) {
      await report.refused(change, unkept(thrown));
      return true;
    }
    log.warn("change parked", { ...referenceTo(change), error: textOf(verdict) });
    metrics.count("SyncParked");
    return true;
  }

  return async (records, timeLeft) => {
    const changes = lastChanges(records);
    if (changes.length === 0) return undefined;
    const asked = await askAll(changes, timeLeft);
    const gatewayIsThere = asked.some(({ verdict }) => verdict.kind !== "joined" && isDecided(verdict));
    for (const one of asked) {
      const done = await settle(one, gatewayIsThere).catch((thrown) => {
        log.warn("change repeated", { ...referenceTo(one.change), error: errorText(thrown) });
        return false;
      });
      if (!done) return one.change.sequenceNumber;
    }
    return changes[asked.length]?.sequenceNumber;
  };
}

/** What no item can hold cannot wait; throws what else was thrown. */
function unkept(thrown: unknown): Verdict {
  if (!(thrown instanceof AppError) || thrown.code !== "session-too-large") throw thrown;
  return { kind: "refused", status: 0, message: thrown.message };
}
