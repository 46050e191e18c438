import type { SQSBatchResponse, SQSEvent } from "aws-lambda";
import { createLogLines } from "../../cli/dev/log-lines.ts";
import { TASK_ATTRIBUTE } from "../../lib/queue/attributes.ts";
import type { Moment } from "../../local/lambda/lambda.ts";
import { createRandom, seedFor } from "../helpers/random.ts";
import { type Accounts, createAccounts } from "./accounts.ts";
import { audit } from "./audit.ts";
import { createFaults } from "./faults.ts";
import { follow } from "./follow.ts";
import { auditHooks, type Line, lineOf } from "./hooks.ts";
import { createKills, type Kills } from "./kills.ts";
import { startPeople } from "./people.ts";
import { inSteps } from "./proxy.ts";
import { PATIENCE_MS, startReceiver } from "./receiver.ts";
import { type ChaosResult, resultOf } from "./result.ts";
import { type Rig, startRig } from "./rig.ts";
import { createSabotage, type Sabotage } from "./sabotage.ts";
import { createTally, sum } from "./tally.ts";
import { createTraffic } from "./traffic.ts";
import { createEvents, createMessages, type Kind } from "./workload.ts";

export interface ChaosOptions {
  events: number;
  kills: number;
  /** All random choices are derived from it, but not the interleaving of the processes. */
  seed: number;
  consumers: number;
  /** FIFO queues: the order of each key's events is checked too. */
  fifo?: boolean;
  /** The share of commits with a fault; for other DynamoDB calls it is a quarter of that. */
  faultRate: number;
  /** The chaos ends after this time without progress. */
  patienceMs: number;
  env: Record<string, string | undefined>;
  sabotages?: readonly Sabotage[];
  /** Only events of these kinds. */
  kinds?: readonly Kind[];
  onProgress?: (progress: Progress) => void;
  /** Called with the output of the functions other than their log. */
  onLine?: (line: string) => void;
}

export interface Progress {
  accounted: number;
  backlog: number;
  kills: number;
  faults: number;
}

const SETTINGS = {
  HANDLER_TIMEOUT_MS: "1000",
  HANDLER_GRACE_MS: "100",
  MAX_ATTEMPTS: "5",
  RETRY_BASE_SECONDS: "1",
  RETRY_MAX_SECONDS: "1",
};

/** Webhooks fail until this share of events has a known result, so that retries occur while there is still work. */
const CALM_SHARE = 0.8;

/** Few keys, so that consumers conflict on them; in a FIFO queue they do not conflict, but wait for each other. */
const EVENTS_PER_KEY = 250;
const EVENTS_PER_GROUP = 25;

/** Sends events to several consumers, injects faults, and reports the result of each event. */
export async function runChaos(options: ChaosOptions): Promise<ChaosResult> {
  const started = performance.now();
  const { consumers, seed, fifo = false } = options;
  const random = (use: string) => createRandom(seedFor(seed, use));
  const keys = Math.max(3, Math.round(options.events / (fifo ? EVENTS_PER_GROUP : EVENTS_PER_KEY)));
  const events = createEvents(options.events, keys, random("events"), options.kinds);
  const accounts = createAccounts(events);
  const tally = createTally();
  const processes: (() => boolean)[] = [];
  const kills = createKills({ count: options.kills, random: random("kills"), processes });
  const faults = createFaults({
    rate: options.faultRate,
    random: random("faults"),
    onFault: (kind) => {
      tally.faults[kind] += 1;
    },
  });
  const sabotages = (options.sabotages ?? []).map(createSabotage);
  const facts = createLogLines((name, line) => options.onLine?.(`[${name}] ${line}`));
  facts.listen(tally.note);
  facts.listen(accounts.note);
  const lines: Line[] = [];
  facts.listen((fact) => {
    const line = lineOf(fact);
    if (line) lines.push(line);
  });

  const receiver = await startReceiver({
    random: random("receiver"),
    isCalm: () => accounts.accounted / events.length >= CALM_SHARE,
  });
  let rig: Rig | undefined;
  try {
    rig = await startRig({
      env: options.env,
      consumers,
      fifo,
      settings: {
        ...SETTINGS,
        WEBHOOK_SECRETS: receiver.secret,
        WEBHOOK_TIMEOUT_MS: String(PATIENCE_MS),
      },
      receiver: receiver.host,
      step: (nth) => inSteps(faults, kills.aroundWrites(nth), tally.countConflicts, ...sabotages),
      onMoment: (moment) => onMoment(moment, accounts, kills),
      onLine: facts.onLine,
      onError: tally.fail,
    });
    processes.push(...rig.stack.consumers.map(({ kill }) => kill));
    const traffic = createTraffic(rig.stack, accounts);
    const people = startPeople(rig.stack.url, events, random("people"));
    const unacknowledged = await follow({
      messages: createMessages(events, random("messages")),
      accounts,
      traffic,
      patienceMs: options.patienceMs,
      onLook(backlog) {
        const { accounted } = accounts;
        kills.advance(accounted / events.length);
        options.onProgress?.({ accounted, backlog, kills: sum(kills.byKind), faults: sum(tally.faults) });
      },
    });
    await rig.idle();
    await people.end();
    const sessions = people.withRemoved(await traffic.readSessions());
    const found = audit(events, sessions, accounts.reasons, fifo);
    const hooks = auditHooks(events, { got: receiver.got, lines, sessions });
    const ms = performance.now() - started;
    const parts = { seed, consumers, ms, found, hooks, unacknowledged, accounts };
    return resultOf({ ...parts, people, kills, tally, receiver, lines });
  } finally {
    await rig?.close();
    await receiver.close();
  }
}

function onMoment(moment: Moment, accounts: Accounts, kills: Kills): "kill" | undefined {
  const { Records } = moment.payload as SQSEvent;
  if (moment.at === "invoked") {
    const events = Records.filter(({ messageAttributes }) => !messageAttributes[TASK_ATTRIBUTE]);
    accounts.deliver(events.map(({ body }) => body));
    return kills.takes("after-delivery") ? "kill" : undefined;
  }
  const { batchItemFailures } = moment.answer as SQSBatchResponse;
  // Only the loss of acknowledged records is a loss.
  const acknowledges = batchItemFailures.length < Records.length;
  return acknowledges && kills.takes("before-acknowledgement") ? "kill" : undefined;
}
