import type { Answer } from "../consumer/answer.ts";
import { type Circuit, createCircuit } from "../consumer/circuit.ts";
import type { Reason } from "../consumer/dead-letters.ts";
import type { Delivery } from "../consumer/records.ts";
import type { SendTask, Task } from "../consumer/tasks.ts";
import { AppError } from "../errors.ts";
import type { Log } from "../log.ts";
import type { Metrics } from "../metrics.ts";
import type { LiveRelease } from "../releases/release.ts";
import { templateFile } from "../releases/sources.ts";
import { type AttemptDeps, type Attempted, attempt, type OwnWebhook } from "./attempt.ts";
import { bodyOf, equalityKey } from "./request.ts";
import { webhookId } from "./sign.ts";
import { offKey, type WebhookStore } from "./store.ts";
import { parseTemplate, type Template } from "./template/template.ts";
import { DELAYS, retryDelay } from "./verdict.ts";

export interface DelivererDeps extends AttemptDeps {
  store: WebhookStore;
  sendTask: SendTask;
  /** From 0 to 1. */
  random: () => number;
  log: Log;
  metrics: Metrics;
}

/** What an invocation has for its webhooks. */
export interface WebhookBatch {
  release: LiveRelease;
  answer: Answer;
  /** In ms. */
  timeLeft: () => number;
}

/** Delivers webhooks, or has them come again. Throws `dependency-failed`; what has come to an end by then keeps it. */
export type Deliver = (deliveries: Delivery[], batch: WebhookBatch) => Promise<void>;

/** One webhook of a batch, as the release has it. */
interface One {
  delivery: Delivery;
  task: Task;
  webhook: OwnWebhook;
}

/** Requests to one target at the same time: one that never answers shall not hold up a batch for long. */
const AT_A_TIME = 4;
/** Kept back for the answer, in ms. */
const RESERVE_MS = 1_500;
/**
 * How long a claim lives of a process that died with it. The same webhook comes again when the queue has hidden it for
 * long enough, takes the claim up and ends it; should its process die as well, and again, there is time for that.
 */
const LEASE_SECONDS = 3_600;
/** How far the clocks of two processes may be apart. */
const CLOCK_SECONDS = 5;
/** Until one looks again whether an equal body was delivered by another. */
const TAKEN_SECONDS = 30;
/** How long after its first request a webhook is given up, although its target was not asked since. */
const GIVE_UP_SECONDS = DELAYS.reduce((sum, delay) => sum + delay, 0);
/** The longest wait for a target that does not answer. */
const POSTPONED_SECONDS = 3_600;

export function createDeliverer(deps: DelivererDeps): Deliver {
  const { store, log, metrics, now, random } = deps;
  const circuits = new Map<string, Circuit>();
  const templates = createTemplates();

  /** Of all webhooks to a target. */
  function circuitOf({ target }: OwnWebhook): Circuit {
    const circuit = circuits.get(target) ?? createCircuit(deps);
    circuits.set(target, circuit);
    return circuit;
  }

  async function deliverOne(one: One, { release, answer, timeLeft }: WebhookBatch): Promise<void> {
    const { delivery, task, webhook } = one;
    const { envelope, identity, records } = delivery;
    const facts = { event_id: envelope.id, api_id: envelope.api_id, handler: task.entry };
    const off = offKey(envelope.api_id, webhook);
    const circuit = circuitOf(webhook);

    /** A copy of the message takes its place: the queue has one or both, and both are of one webhook. */
    async function comeAgain(seconds: number, change: Partial<Task>): Promise<void> {
      const [record] = records;
      const due = Math.ceil(now() / 1000 + seconds);
      if (record) await deps.sendTask(record, envelope.id, { ...task, ...change, due });
      answer.done(records);
    }

    const giveUp = (reason: Reason, error: string, said?: string) =>
      answer.giveUp(records, {
        reason,
        error,
        eventId: envelope.id,
        handler: task.entry,
        release: release.version,
        answer: said,
      });

    async function finish(): Promise<void> {
      await store.done(identity);
      answer.done(records);
    }

    const isTooOld = () => task.since > 0 && now() / 1000 - task.since >= GIVE_UP_SECONDS;
    const since = task.since || Math.floor(now() / 1000);

    /** Others have found that the target does not answer: this one is not asked, and it costs no attempt. */
    async function postpone(wait: number): Promise<void> {
      if (isTooOld()) return giveUp("webhook-failed", "the target was not reached in time by any webhook");
      metrics.count("WebhooksPostponed");
      const spread = Math.min(POSTPONED_SECONDS, 5 * 2 ** task.postponed);
      await comeAgain(wait + random() * spread, { since, postponed: task.postponed + 1 });
    }

    async function retry({ verdict, status, answer: said }: Attempted): Promise<void> {
      if (verdict.kind !== "retry") return;
      const attempts = task.attempts + 1;
      const seconds = retryDelay(attempts, random(), verdict.retryAfter);
      metrics.count("WebhooksFailed");
      const told = { ...facts, attempt: attempts, status, error: verdict.reason };
      if (seconds === undefined || isTooOld()) {
        log.warn("webhook failed for the last time", told);
        return giveUp("webhook-failed", `${verdict.reason}, at attempt ${attempts}`, said);
      }
      log.warn("webhook failed", { ...told, seconds });
      await comeAgain(seconds, { attempts, since, postponed: 0 });
    }

    /** Whoever reads the log learns of it once: those after this one are left out without a line. */
    async function switchOff({ answer: said }: Attempted, reason: string): Promise<void> {
      const at = new Date(now()).toISOString();
      await store.switchOff(off, { apiId: envelope.api_id, entry: task.entry, at });
      log.error("webhook switched off: it comes back with a release in which its entry differs", facts);
      metrics.count("WebhooksGone");
      await giveUp("webhook-gone", reason, said);
    }

    if (timeLeft() < deps.timeoutMs + RESERVE_MS) {
      const error = "at every receive no time was left for it";
      const verdict = { reason: "unstarted", error, eventId: envelope.id, handler: task.entry } as const;
      return answer.stay(records, verdict, { seconds: 0, blameless: true });
    }
    if (circuit.wait() > 0) return postpone(circuit.wait());
    const body = printed(one, release, templates);
    if (body instanceof AppError) return giveUp(body.code, body.message);
    const cooldown = webhook.cooldownSeconds > 0 && equalityKey(webhook, envelope.event, body);
    if (cooldown) {
      const requestSeconds = Math.ceil(deps.timeoutMs / 1000) + CLOCK_SECONDS;
      const times = { requestSeconds, leaseSeconds: LEASE_SECONDS };
      const claim = await store.claim(`${envelope.api_id}#${cooldown}`, identity, times);
      if (claim.is === "taken") return comeAgain(Math.min(TAKEN_SECONDS, claim.seconds), {});
      if (claim.is === "sent") {
        if (!claim.own) metrics.count("WebhooksCooled");
        log.info(claim.own ? "webhook delivered before" : "webhook left out within a cool-down", facts);
        return finish();
      }
    }
    const { api_id: apiId, id: eventId } = envelope;
    const id = webhookId({ apiId, eventId, target: webhook.target });
    const { coalesced } = task;
    const end = await attempt(deps, { webhook, id, body, ...(coalesced && { coalesced }) });
    metrics.observe("WebhookTime", end.ms);
    if (end.isDown) circuit.failed();
    else circuit.succeeded();
    const { verdict } = end;
    if (verdict.kind === "done") {
      if (cooldown) await store.sent(`${apiId}#${cooldown}`, identity, webhook.cooldownSeconds);
      await finish();
      metrics.count("WebhooksDelivered");
      const { status, ms } = end;
      return log.info("webhook delivered", {
        ...facts,
        webhook_id: id,
        status,
        ms,
        attempt: task.attempts + 1,
      });
    }
    if (cooldown) await store.unclaim(`${apiId}#${cooldown}`, identity);
    return verdict.kind === "gone" ? switchOff(end, verdict.reason) : retry(end);
  }

  /** Those of which the release has a webhook, and the table no end. */
  async function openOf(deliveries: Delivery[], { release, answer }: WebhookBatch): Promise<One[]> {
    const ones: One[] = [];
    for (const delivery of deliveries) {
      const { envelope, task, records } = delivery;
      if (!task) continue;
      const handlers = release.own(envelope.api_id, envelope.event.Type);
      const webhook = handlers.find(({ entry }) => entry === task.entry);
      if (webhook?.kind === "webhook") ones.push({ delivery, task, webhook });
      else {
        const error = `release ${release.version} has no such webhook any more`;
        const names = { eventId: envelope.id, handler: task.entry, release: release.version };
        await answer.giveUp(records, { reason: "webhook-unknown", error, ...names });
      }
    }
    const asked = ones.map(({ delivery: { identity, envelope }, webhook }) => ({
      identity,
      off: offKey(envelope.api_id, webhook),
    }));
    const known = await store.read(asked);
    return ones.filter(({ delivery }, at) => {
      const { done = false, offSince } = known[at] ?? {};
      if (!done && offSince === undefined) return true;
      if (!done) metrics.count("WebhooksSkipped");
      answer.done(delivery.records);
      return false;
    });
  }

  return async (deliveries, batch) => {
    const open = await openOf(deliveries, batch);
    const thrown: unknown[] = [];
    const deliverNext = async (left: IterableIterator<One>) => {
      for (const one of left) await deliverOne(one, batch).catch((error: unknown) => thrown.push(error));
    };
    const targets = Map.groupBy(open, ({ webhook }) => webhook.target).values();
    const lanes = [...targets].flatMap((ones) => {
      const left = ones.values();
      return Array.from({ length: AT_A_TIME }, () => deliverNext(left));
    });
    await Promise.all(lanes);
    if (thrown.length > 0) throw thrown[0];
  };
}

/** Those of a release, parsed when they are first asked for. */
function createTemplates() {
  const parsed = new WeakMap<LiveRelease, Map<string, Template>>();
  return (release: LiveRelease, path: string): Template => {
    const known = parsed.get(release) ?? new Map<string, Template>();
    parsed.set(release, known);
    const template = known.get(path) ?? parseTemplate(templateFile(path), release.template(path) ?? "");
    known.set(path, template);
    return template;
  };
}

/** The body, or why there is none, which no other attempt changes. */
function printed(
  { delivery, webhook }: One,
  release: LiveRelease,
  templateOf: ReturnType<typeof createTemplates>,
): string | AppError {
  try {
    const template = webhook.template ? templateOf(release, webhook.template) : undefined;
    return bodyOf(webhook, delivery.envelope.event, template);
  } catch (thrown) {
    if (thrown instanceof AppError) return thrown;
    throw thrown;
  }
}
