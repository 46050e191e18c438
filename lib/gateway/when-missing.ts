import type { Canary } from "./canary.ts";
import { type Gateway, readOnly } from "./client.ts";
import type { Missing } from "./reconcile.ts";
import { isBornHere, type Row } from "./row.ts";
import type { Copy, Rows } from "./rows.ts";
import type { Settled } from "./settle.ts";

/**
 * Has gateway-sync find out whether the gateway has deleted the key, unless it could not accept the absence and would
 * only retry.
 */
export function createDoubtMissing(deps: {
  gateway: Pick<Gateway, "get">;
  canary: Canary;
  wasCanaryMade: () => Promise<boolean>;
  /** Whether the limit of absences is currently reached. */
  isSpent: () => Promise<boolean>;
  rows: Pick<Rows, "doubt">;
}) {
  return async ({ key }: Copy): Promise<Missing> => {
    // A canary that was never created is created at the first proof of absence.
    if (!(await deps.canary.isThere(deps.gateway)) && (await deps.wasCanaryMade())) return "emptied";
    if (await deps.isSpent()) return "held";
    await deps.rows.doubt(key);
    return "doubted";
  };
}

/** Settles the row itself, if the user has confirmed that the gateway's answers are right. It changes no key there. */
export function createSettleMissing(deps: {
  gateway: Gateway;
  canary: Canary;
  settle: (row: Row, gateway: Gateway) => Promise<Settled>;
  rows: Pick<Rows, "write" | "remove">;
  /** Schedules the row to be settled again, after this time in ms. */
  later: (again: { key: string; ms: number }[]) => Promise<void>;
}) {
  const { canary, rows } = deps;
  const gateway = readOnly(deps.gateway);
  return async ({ gateway: state = {}, ...copy }: Copy): Promise<Missing> => {
    const row = { ...copy, gateway: state };
    // gateway-sync creates it there.
    if (isBornHere(row)) return "held";
    const settled = await deps.settle(row, gateway);
    if (settled.kind === "unknown") return (await canary.isThere(gateway)) ? "held" : "emptied";
    if (settled.kind === "remove") return (await rows.remove(row)) ? "settled" : "doubted";
    if (settled.later !== undefined) await deps.later([{ key: row.key, ms: settled.later }]);
    return (await rows.write(row, settled.session, settled.gateway)) ? "settled" : "doubted";
  };
}
