import { setTimeout as delay } from "node:timers/promises";
import middy from "@middy/core";
import { createAbsenceLimit } from "../lib/gateway/absence-limit.ts";
import { isAsked } from "../lib/gateway/asked.ts";
import { connectGateway } from "../lib/gateway/client.ts";
import { createReconcile, emptyTally } from "../lib/gateway/reconcile.ts";
import { createReconcilePlace } from "../lib/gateway/reconcile-place.ts";
import { createRows } from "../lib/gateway/rows.ts";
import { createDoubtMissing } from "../lib/gateway/when-missing.ts";
import { createRateLimit } from "../lib/rate-limit.ts";
import { createDynamo } from "./clients.ts";
import { canaryOf, maxAbsences, requiredGateway } from "./gateway.ts";
import { createLog } from "./log.ts";
import { createMetrics, withMetrics } from "./metrics.ts";
import { proveMarks } from "./prove-marks.ts";
import { integer, text } from "./settings.ts";

const { env } = process;
const metrics = createMetrics("reconcile");
const log = createLog();
const options = requiredGateway(env);
const canary = canaryOf(env);
const dynamo = createDynamo();
const stateTable = text(env, "STATE_TABLE");
const rows = createRows({
  dynamo,
  table: text(env, "SESSIONS_TABLE"),
  proveMarks: proveMarks(env, dynamo),
  now: Date.now,
});
const limit = createAbsenceLimit({ dynamo, stateTable, perHour: maxAbsences(env), now: Date.now });
const place = createReconcilePlace({ dynamo, stateTable, now: Date.now });
const rate = integer(env, "GATEWAY_RECONCILE_RATE");
const concurrency = integer(env, "GATEWAY_CONNECTIONS");
const never = new AbortController().signal;
/** The time reserved for rows in progress and for the end: a read of a key, a read of the canary, and some writes. */
const END_MS = 2 * options.timeoutMs + 3_000;

/** Compares as many rows as the invocation has time for, from the end of the last slice. */
async function compareSlice(timeLeft: () => number): Promise<void> {
  const turn = await place.begin(timeLeft());
  if (!turn) return log.info("sessions not compared: another invocation is at it", {});
  const gateway = connectGateway(options);
  const wait = createRateLimit({ rate, now: Date.now, delay: (ms) => delay(ms), stop: never });
  const reconcile = createReconcile({
    gateway,
    rows,
    isAsked: (key) => isAsked(key) && !canary.isNamed(key),
    whenMissing: createDoubtMissing({ gateway, canary, ...limit, rows }),
    withPending: false,
    pace: async (count) => timeLeft() > END_MS && wait(count),
    concurrency,
    now: Date.now,
    log,
  });
  const tally = emptyTally();
  try {
    const { end, after } = await reconcile(turn.after, tally);
    await turn.end(after);
    log.info("sessions compared", { ...tally, end });
  } finally {
    metrics.count("SessionsDrift", tally.differing);
    metrics.count("AbsencesHeld", tally.held);
    await gateway.close();
  }
}

/** Called by a schedule. */
export const main = middy<unknown, void>()
  .use(withMetrics(metrics))
  .handler(async (_, context) => compareSlice(() => context.getRemainingTimeInMillis()));
