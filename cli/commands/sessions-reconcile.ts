import { setTimeout as delay } from "node:timers/promises";
import { cacheMs, canaryOf, maxAbsences } from "../../functions/gateway.ts";
import { text } from "../../functions/settings.ts";
import { createSqs } from "../../functions/sqs.ts";
import { AppError } from "../../lib/errors.ts";
import { createQueueSender } from "../../lib/events/send.ts";
import { createAbsence } from "../../lib/gateway/absence.ts";
import { createAbsenceLimit } from "../../lib/gateway/absence-limit.ts";
import { isAsked } from "../../lib/gateway/asked.ts";
import type { Canary } from "../../lib/gateway/canary.ts";
import { createLater } from "../../lib/gateway/later.ts";
import { createReconcile, type End, emptyTally, type Tally } from "../../lib/gateway/reconcile.ts";
import { createRejections } from "../../lib/gateway/rejections.ts";
import { createSettle } from "../../lib/gateway/settle.ts";
import { createDoubtMissing, createSettleMissing } from "../../lib/gateway/when-missing.ts";
import type { Log } from "../../lib/log.ts";
import { createRateLimit } from "../../lib/rate-limit.ts";
import { type OpenSessions, openSessions } from "../gateway.ts";
import { openTable } from "../stage/open-table.ts";
import { confirm } from "../terminal/confirm.ts";
import { countOf } from "../terminal/count.ts";
import { interruption } from "../terminal/interrupt.ts";
import { printErrorText, printJson, printText } from "../terminal/print.ts";
import { startProgress } from "../terminal/progress.ts";
import { UsageError } from "../terminal/usage.ts";

/**
 * `trustEmpty` accepts missing keys without the hourly limit; `yes` creates the canary again without a confirmation.
 */
export interface ReconcileOptions {
  /** Rows per second. */
  rate: number;
  trustEmpty?: boolean;
  yes?: boolean;
  json?: boolean;
}

/** `gatehook sessions reconcile`: compares all rows with the gateway, and schedules a check of those that differ. */
export async function sessionsReconcile(options: ReconcileOptions): Promise<void> {
  const open = await openSessions();
  const stop = interruption();
  try {
    const { table: stateTable } = await openTable(open.dynamo, "STATE_TABLE");
    const perHour = maxAbsences(process.env);
    const limit = createAbsenceLimit({ dynamo: open.dynamo, stateTable, perHour, now: Date.now });
    if (options.trustEmpty && !(await readyToTrust(open, limit, options, stop))) {
      printErrorText("gatehook: nothing was done");
      process.exitCode = 1;
      return;
    }
    const tally = emptyTally();
    const end = await compareAll(open, limit, options, tally, stop);
    tell(tally, end, options);
    if (end !== "through" || tally.failed + tally.held > 0) process.exitCode = 1;
  } finally {
    await open.gateway.close();
  }
}

type Limit = ReturnType<typeof createAbsenceLimit>;

async function compareAll(
  open: OpenSessions,
  limit: Limit,
  { rate, trustEmpty = false }: ReconcileOptions,
  tally: Tally,
  stop: AbortSignal,
): Promise<End> {
  const { gateway, rows } = open;
  const canary = canaryOf(process.env);
  const pause = (ms: number) => delay(ms, undefined, { signal: stop }).catch(() => {});
  const failures = createFailures();
  const reconcile = createReconcile({
    gateway,
    rows,
    isAsked: (key) => isAsked(key) && !canary.isNamed(key),
    whenMissing: trustEmpty
      ? settleMissing(open, canary, failures.log)
      : createDoubtMissing({ gateway, canary, ...limit, rows }),
    withPending: trustEmpty,
    pace: createRateLimit({ rate, now: Date.now, delay: pause, stop }),
    concurrency: CONNECTIONS,
    now: Date.now,
    log: failures.log,
  });
  const progress = startProgress(progressOf(open.size, tally));
  try {
    const { end } = await reconcile(undefined, tally);
    return end;
  } finally {
    progress.end();
    failures.tell();
  }
}

const CONNECTIONS = 16;

/** Accepts missing keys if the canary proves them, without the hourly limit. */
function settleMissing({ options, gateway, rows }: OpenSessions, canary: Canary, log: Log) {
  const { env } = process;
  const sqs = createSqs();
  const settle = createSettle({
    absence: createAbsence({
      canary,
      quickMs: options.timeoutMs / 2,
      // It is created only after a confirmation.
      wasCanaryMade: async () => true,
      noteCanaryMade: async () => {},
      onCanaryMissing: () => {},
      now: Date.now,
    }),
    admit: async () => true,
    reject: createRejections({
      send: createQueueSender({ sqs, queueUrl: text(env, "SYNC_DEAD_LETTERS_QUEUE_URL") }),
      log,
      metrics: NO_METRICS,
    }),
    // The rest concerns only keys that the gateway has, which are left to gateway-sync.
    overrule: () => {},
    markReset: async () => undefined,
    giveUpMs: 0,
    pause: delay,
    now: Date.now,
    cacheMs: cacheMs(env),
    hashed: options.hashed,
  });
  const later = createLater({ sqs, queueUrl: text(env, "SYNC_QUEUE_URL") });
  return createSettleMissing({ gateway, canary, settle, rows, later });
}

const NO_METRICS = { count() {}, countBy() {}, observe() {} };

/** Whether there is a canary, or a person agrees to create one. */
async function readyToTrust(
  { gateway }: OpenSessions,
  limit: Limit,
  { yes }: ReconcileOptions,
  stop: AbortSignal,
): Promise<boolean> {
  const canary = canaryOf(process.env);
  if (await canary.isThere(gateway)) return true;
  if (!yes && !process.stdin.isTTY)
    throw new UsageError(
      `the gateway does not have its canary ${canary.name}, and there is no terminal to confirm that it may be created again: add --yes`,
    );
  const question = `the gateway does not have its canary ${canary.name}. If its store was emptied: create the canary again?`;
  if (!yes && !(await confirm(question, { input: process.stdin, output: process.stderr }, stop)))
    return false;
  if (!(await canary.make(gateway)))
    throw new AppError(
      "dependency-failed",
      "the gateway did not make the canary: check that its store is available",
    );
  await limit.noteCanaryMade();
  return true;
}

function progressOf(size: number, tally: Tally): () => string {
  const started = performance.now();
  return () => {
    const { compared, passed, failed, differing } = tally;
    const done = compared + passed + failed;
    const perSecond = Math.round(done / ((performance.now() - started) / 1_000));
    return `${done} of about ${countOf(Math.max(size, done), "row")}, ${perSecond}/s, ${differing} differ`;
  };
}

/** The maximum number of failures to print. */
const FAILURES = 10;

function createFailures() {
  const lines: string[] = [];
  const keep = (message: string, { key_hash, error }: Record<string, unknown>) =>
    void lines.push(`${message}: key of hash ${key_hash}: ${error}`);
  return {
    log: { info() {}, warn: keep, error: keep } satisfies Log,
    tell() {
      for (const line of lines.slice(0, FAILURES)) printErrorText(line);
      if (lines.length > FAILURES) printErrorText(`and ${lines.length - FAILURES} more such lines`);
    },
  };
}

const ENDS: Record<Exclude<End, "through">, string> = {
  stopped: "stopped: there are rows that were not compared",
  away: "the gateway or a table did not answer several times in a row: call it again when they are back",
  emptied:
    "the gateway does not have its canary: its store is unavailable, or was emptied. If it was emptied, add --trust-empty, which creates the canary again and then accepts that keys are deleted",
};

function tell(tally: Tally, end: End, { json, trustEmpty }: ReconcileOptions): void {
  const { compared, differing, held, settled, passed, failed } = tally;
  if (json) printJson({ complete: end === "through", end, ...tally });
  else {
    printText(`${countOf(compared, "row")} compared with the gateway, ${differing} of them differed`);
    const doubted = differing - held - settled;
    if (doubted > 0)
      printText(`${countOf(doubted, "row")} put in doubt: gateway-sync makes them as the gateway has them`);
    if (settled > 0) printText(`${countOf(settled, "row")} settled: the gateway has deleted their keys`);
    if (passed > 0)
      printText(
        `${countOf(passed, "row")} passed over: something is on its way, or the key is never asked for`,
      );
  }
  if (held > 0 && end !== "emptied") printErrorText(trustEmpty ? notProven(held) : tooMany(held));
  if (failed > 0) printErrorText(`${countOf(failed, "row")} could not be compared`);
  if (end !== "through") printErrorText(`gatehook: ${ENDS[end]}`);
}

const notProven = (held: number) =>
  `${countOf(held, "row")} held: it could not be proven that their keys are gone, or gateway-sync is to make them`;

const tooMany = (held: number) =>
  `${countOf(held, "row")} held: the gateway does not show their keys, and more than GATEWAY_MAX_ABSENCES are not ` +
  "believed in an hour. Find out why they are gone; if they are, add --trust-empty";
