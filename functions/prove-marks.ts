import { createProveMarks } from "../lib/commit/prove-marks.ts";
import type { ProveMarks } from "../lib/sessions/item.ts";
import type { createDynamo } from "./clients.ts";
import { type Env, integer, text } from "./settings.ts";

/**
 * With the clock and the random numbers of this process. Reads STATE_TABLE and LEDGER_TTL_SECONDS when it is called.
 */
export const proveMarks = (env: Env, dynamo: ReturnType<typeof createDynamo>): ProveMarks =>
  createProveMarks({
    dynamo,
    stateTable: text(env, "STATE_TABLE"),
    ledgerTtlSeconds: integer(env, "LEDGER_TTL_SECONDS"),
    now: Date.now,
    random: Math.random,
  });
