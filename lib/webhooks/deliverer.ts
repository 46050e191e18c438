import { type Circuit, createCircuit } from "../consumer/circuit.ts";
import { AppError } from "../errors.ts";
import type { BatchResult } from "../queue/batch-result.ts";
import type { Delivery } from "../queue/delivery.ts";
import type { LiveRelease } from "../releases/release.ts";
import { templateFile } from "../releases/sources.ts";
import { type AttemptDeps, attempt, type OwnWebhook } from "./attempt.ts";
import { type Fate, type FateDeps, fateOf, LIFE_SECONDS, type One, type Printed } from "./fate.ts";
import { bodyOf, equalityKey } from "./request.ts";
import { webhookId } from "./sign.ts";
import { offKey, type WebhookStore } from "./store.ts";
import { parseTemplate, type Template } from "./template/template.ts";

/** Dependencies that exist as long as the container. */
export interface DelivererDeps extends AttemptDeps, FateDeps {
  store: WebhookStore;
}

/** The arguments of one invocation. */
export interface WebhookBatch {
  release: LiveRelease;
  result: BatchResult;
  /** In ms. */
  timeLeft: () => number;
}

/**
 * Delivers webhooks, or returns them to the queue. Throws `dependency-failed`; webhooks that have ended before stay
 * ended.
 */
export type Deliver = (deliveries: Delivery[], batch: WebhookBatch) => Promise<void>;

/** Concurrent requests to one target, so that a target that never answers does not delay a batch for long. */
const AT_A_TIME = 4;
/** Reserved for the answer, in ms. */
const RESERVE_MS = 1_500;
/** The largest difference between the clocks of two processes. */
const CLOCK_SECONDS = 5;
/**
 * After how many seconds to check again whether another consumer has delivered an equal body: as long as that consumer
 * has had its claim so far, within these limits.
 */
const LOOK_AGAIN_SECONDS = { least: 30, most: 900 };

/**
 * Sends up to four webhooks to each target at the same time. Remembers for each target whether it answers, and parses
 * each template of a release once.
 */
export function createDeliverer(deps: DelivererDeps): Deliver {
  const { store, log, metrics } = deps;
  const circuits = new Map<string, Circuit>();
  const templates = createTemplates();

  /** One circuit breaker for all webhooks of a target. */
  function circuitOf({ target }: OwnWebhook): Circuit {
    const circuit = circuits.get(target) ?? createCircuit(deps);
    circuits.set(target, circuit);
    return circuit;
  }

  /** Whether the webhook must be sent now; if not, its message is acknowledged or returned to the queue. */
  async function claims(one: One, cooldown: string, fate: Fate): Promise<"new" | "again" | undefined> {
    const requestSeconds = Math.ceil(deps.timeoutMs / 1000) + CLOCK_SECONDS;
    // A process that died may have delivered it. The webhook takes over the claim when it is retried, perhaps much
    // later.
    const times = { requestSeconds, leaseSeconds: LIFE_SECONDS };
    const claim = await store.claim(cooldown, one.delivery.identity, times);
    if (claim.is === "mine") return claim.again ? "again" : "new";
    const { least, most } = LOOK_AGAIN_SECONDS;
    if (claim.is === "taken")
      await fate.wait(Math.min(claim.freeAfter, Math.max(least, Math.min(most, claim.heldFor))));
    else {
      if (!claim.own) metrics.count("WebhooksCooled");
      const text = claim.own ? "webhook delivered before" : "webhook left out within a cool-down";
      log.info(text, factsOf(one));
      await fate.finish();
    }
    return undefined;
  }

  /** Sends it. `again`: it may have been delivered already under this claim. */
  async function send(one: Printed, body: string, again: boolean, fate: Fate): Promise<void> {
    const { delivery, task, webhook, cooldown } = one;
    const { envelope, identity } = delivery;
    const { coalesced } = task;
    const circuit = circuitOf(webhook);
    const id = webhookId({ apiId: envelope.api_id, eventId: envelope.id, entry: webhook.entry });
    const end = await attempt(deps, { webhook, id, body, ...(coalesced && { coalesced }) });
    const { verdict, status, ms } = end;
    metrics.observe("WebhookTime", ms);
    if (end.isDown) circuit.failed();
    else circuit.succeeded();
    if (verdict.kind !== "done") {
      if (cooldown && !again) await store.unclaim(cooldown, identity);
      if (verdict.kind === "gone") return fate.switchOff(end, verdict.reason);
      return fate.retry(end, verdict.reason, verdict.retryAfter);
    }
    // The cool-down first: if the process dies between the two writes, the retry finds it and sends nothing.
    if (cooldown) await store.sent(cooldown, identity, webhook.cooldownSeconds);
    await fate.finish();
    metrics.count("WebhooksDelivered");
    log.info("webhook delivered", {
      ...factsOf(one),
      webhook_id: id,
      status,
      ms,
      attempt: task.attempts + 1,
    });
  }

  async function deliverOne(one: One, { release, result, timeLeft }: WebhookBatch): Promise<void> {
    const { webhook } = one;
    const body = bodyFor(one, release, templates);
    const printed = { ...one, cooldown: cooldownOf(one, body) };
    const fate = fateOf(deps, printed, { release, result });
    if (timeLeft() < deps.timeoutMs + RESERVE_MS) return fate.leave();
    const wait = circuitOf(webhook).wait();
    if (wait > 0) return fate.postpone(wait);
    if (body instanceof AppError) return fate.giveUp(body.code, body.message);
    const claimed = printed.cooldown ? await claims(one, printed.cooldown, fate) : "new";
    if (claimed) await send(printed, body, claimed === "again", fate);
  }

  /** The deliveries whose webhook is in the release and has not ended. */
  async function openOf(deliveries: Delivery[], { release, result }: WebhookBatch): Promise<One[]> {
    const ones: One[] = [];
    for (const delivery of deliveries) {
      const { envelope, task, records } = delivery;
      if (!task) continue;
      const handlers = release.own(envelope.api_id, envelope.event.Type);
      const webhook = handlers.find(({ entry }) => entry === task.entry);
      if (webhook?.kind === "webhook") ones.push({ delivery, task, webhook });
      else {
        const error = `release ${release.version} no longer has this webhook`;
        const names = { eventId: envelope.id, handler: task.entry, release: release.version };
        await result.giveUp(records, { reason: "webhook-unknown", error, ...names });
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
      if (!done) {
        log.info("webhook left out, it is switched off", { event_id: delivery.envelope.id, since: offSince });
        metrics.count("WebhooksSkipped");
      }
      result.done(delivery.records);
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

const factsOf = ({ delivery: { envelope }, task }: One) => ({
  event_id: envelope.id,
  api_id: envelope.api_id,
  handler: task.entry,
});

/** The templates of a release, parsed when they are first used. */
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

/** The key of equal bodies, of which only one is delivered within a cool-down. */
function cooldownOf({ delivery, webhook }: One, body: string | AppError): string | undefined {
  if (webhook.cooldownSeconds === 0 || body instanceof AppError) return undefined;
  const { api_id, event } = delivery.envelope;
  return `${api_id}#${equalityKey(webhook, event, body)}`;
}

/** The body, or the reason why it cannot be printed, which is the same at every attempt. */
function bodyFor(
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
