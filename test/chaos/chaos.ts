import type { SQSBatchResponse, SQSEvent } from "aws-lambda";
import { createFacts } from "../../cli/facts.ts";
import type { Moment } from "../../local/lambda/lambda.ts";
import { createRandom, seedFor } from "../helpers/random.ts";
import { type Accounts, createAccounts } from "./accounts.ts";
import { type Audit, audit, countsOf } from "./audit.ts";
import { createFaults, FAULT_KINDS, type FaultKind } from "./faults.ts";
import { follow } from "./follow.ts";
import { createKills, type KillKind, type Kills } from "./kills.ts";
import { inSteps, type Step } from "./proxy.ts";
import { startRig } from "./rig.ts";
import { createSabotage, type Sabotage } from "./sabotage.ts";
import { createTraffic } from "./traffic.ts";
import { createEvents, createMessages } from "./workload.ts";

export interface ChaosOptions {
  events: number;
  kills: number;
  /** All that is drawn by chance comes from it; how the processes interleave does not. */
  seed: number;
  consumers: number;
  /** FIFO queues: the order of each key's events is looked at too. */
  fifo?: boolean;
  /** The share of DynamoDB calls that meet a fault. */
  faultRate: number;
  /** Without progress for so long, it is over. */
  patienceMs: number;
  env: Record<string, string | undefined>;
  sabotage?: Sabotage;
  onProgress?: (progress: Progress) => void;
  /** What the functions write beside their log. */
  onLine?: (line: string) => void;
}

export interface Progress {
  sent: number;
  accounted: number;
  backlog: number;
  kills: number;
  faults: number;
}

export interface ChaosResult {
  events: number;
  kills: number;
  faults: number;
  duplicates_delivered: number;
  lost: number;
  doubled: number;
  lost_updates: number;
  /** Events in the dead letters. */
  dlq: number;
  /** Commits that the engine refused because an item had changed. */
  conflicts: number;
  seconds: number;
  seed: number;
  consumers: number;
  /** Events in the dead letters that could succeed, or with a wrong reason. */
  misplaced: number;
  /** In FIFO queues: events that took effect before an earlier one of their key. */
  misordered: number;
  /** Messages that were still in the queue at the end. */
  unacknowledged: number;
  /** Threads that were ended because a handler did not end. */
  workers_killed: number;
  /** Dead letters, of which an event may have several. */
  letters_by_reason: Record<string, number>;
  kills_by_kind: Record<KillKind, number>;
  faults_by_kind: Record<FaultKind, number>;
  /** Invocations that failed as a whole, but for those whose process was killed here. */
  failed_invocations: string[];
  /** One line for each event with which something is wrong. */
  troubles: string[];
}

const SETTINGS = {
  HANDLER_TIMEOUT_MS: "1000",
  HANDLER_GRACE_MS: "100",
  MAX_ATTEMPTS: "5",
  RETRY_BASE_SECONDS: "1",
  RETRY_MAX_SECONDS: "1",
};

/** Few keys, so that consumers meet on them; in a FIFO queue they do not, and wait for each other. */
const EVENTS_PER_KEY = 250;
const EVENTS_PER_GROUP = 25;

const CONFLICT = /"Code":\s*"(ConditionalCheckFailed|TransactionConflict)"/;

/** Sends events to several consumers, breaks what can break, and says what became of each event. */
export async function runChaos(options: ChaosOptions): Promise<ChaosResult> {
  const started = performance.now();
  const random = (use: string) => createRandom(seedFor(options.seed, use));
  const { fifo = false } = options;
  const keys = Math.max(3, Math.round(options.events / (fifo ? EVENTS_PER_GROUP : EVENTS_PER_KEY)));
  const events = createEvents(options.events, keys, random("events"));
  const accounts = createAccounts(events);
  const seen = { faults: zeros(FAULT_KINDS), conflicts: 0, workersKilled: 0, failed: [] as string[] };
  const killers: (() => boolean)[] = [];
  const kills = createKills({ count: options.kills, random: random("kills"), processes: () => killers });
  const faults = createFaults({
    rate: options.faultRate,
    random: random("faults"),
    onFault: (kind) => {
      seen.faults[kind] += 1;
    },
  });
  const facts = createFacts((name, line) => options.onLine?.(`[${name}] ${line}`));
  facts.listen((fact) => {
    accounts.note(fact);
    if (fact.message === "handler failed" && fact.fields.code === "handler-killed") seen.workersKilled += 1;
  });
  const countConflicts: Step = async (_, forward) => {
    const outcome = await forward();
    if (outcome !== "cut" && outcome.status === 400 && CONFLICT.test(outcome.body)) seen.conflicts += 1;
    return outcome;
  };
  const sabotage = createSabotage(options.sabotage);

  const rig = await startRig({
    env: options.env,
    consumers: options.consumers,
    fifo,
    settings: SETTINGS,
    step: (nth) =>
      inSteps(
        faults,
        kills.aroundCommits(() => killers[nth]?.() ?? false),
        countConflicts,
        sabotage,
      ),
    onMoment: (moment) => onMoment(moment, accounts, kills),
    onLine: facts.onLine,
    onError: ({ message }) => {
      if (!message.includes("SIGKILL")) seen.failed.push(message);
    },
  });
  try {
    killers.push(...rig.stack.consumers.map(({ kill }) => kill));
    const traffic = createTraffic(rig.stack, accounts);
    const unacknowledged = await follow({
      messages: createMessages(events, random("messages")),
      accounts,
      traffic,
      patienceMs: options.patienceMs,
      onLook(backlog) {
        const { sent, accounted } = accounts;
        kills.advance(accounted / events.length);
        options.onProgress?.({
          sent,
          accounted,
          backlog,
          kills: sum(kills.byKind),
          faults: sum(seen.faults),
        });
      },
    });
    await rig.idle();
    const found = audit(events, await traffic.readSessions(), accounts.reasons, fifo);
    return {
      events: events.length,
      kills: sum(kills.byKind),
      faults: sum(seen.faults),
      duplicates_delivered: accounts.duplicates,
      lost: found.lost.length,
      doubled: found.doubled.length,
      lost_updates: found.lostUpdates.length,
      dlq: accounts.reasons.size,
      conflicts: seen.conflicts,
      seconds: Math.round((performance.now() - started) / 100) / 10,
      seed: options.seed,
      consumers: options.consumers,
      misplaced: found.misplaced.length,
      misordered: found.misordered.length,
      unacknowledged,
      workers_killed: seen.workersKilled,
      letters_by_reason: Object.fromEntries(countsOf([...accounts.reasons.values()].flat())),
      kills_by_kind: kills.byKind,
      faults_by_kind: seen.faults,
      failed_invocations: seen.failed,
      troubles: troublesOf(found, unacknowledged, accounts),
    };
  } finally {
    await rig.close();
  }
}

function onMoment(moment: Moment, accounts: Accounts, kills: Kills): "kill" | undefined {
  const { Records } = moment.payload as SQSEvent;
  if (moment.at === "invoked") {
    accounts.deliver(Records.map(({ body }) => body));
    return kills.takes("after-delivery") ? "kill" : undefined;
  }
  const { batchItemFailures } = moment.answer as SQSBatchResponse;
  // Only where something is acknowledged, its loss is one.
  const acknowledges = batchItemFailures.length < Records.length;
  return acknowledges && kills.takes("before-acknowledgement") ? "kill" : undefined;
}

function troublesOf(found: Audit, unacknowledged: number, accounts: Accounts): string[] {
  const lines = (what: string, ids: string[]) => ids.map((id) => `${what} ${id}: ${accounts.lastFacts(id)}`);
  return [
    ...lines("lost", found.lost),
    ...lines("doubled", found.doubled),
    ...lines("update lost of", found.lostUpdates),
    ...lines("out of order", found.misordered),
    ...found.misplaced.map(
      (id) => `misplaced ${id}: dead letter for ${accounts.reasons.get(id)?.join(", ")}`,
    ),
    ...(unacknowledged > 0 ? [`${unacknowledged} messages are still in the queue`] : []),
  ];
}

function zeros<Name extends string>(names: readonly Name[]): Record<Name, number> {
  return Object.fromEntries(names.map((name) => [name, 0])) as Record<Name, number>;
}

const sum = (counts: Record<string, number>) =>
  Object.values(counts).reduce((total, count) => total + count, 0);
