import { randomUUID } from "node:crypto";
import type { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { parseDefinitions } from "../../lib/apis/definition.ts";
import { createConsumerStore } from "../../lib/commit/store.ts";
import { createCircuit } from "../../lib/consumer/circuit.ts";
import { createConsumer } from "../../lib/consumer/consumer.ts";
import type { EgressRequest, EgressResponse } from "../../lib/egress/client.ts";
import type { QueueMessage } from "../../lib/events/send.ts";
import { createDeadLetters } from "../../lib/queue/dead-letters.ts";
import { createRequeue } from "../../lib/queue/requeue.ts";
import { openRelease, type Release } from "../../lib/releases/release.ts";
import { createSendTask } from "../../lib/tasks/send-task.ts";
import { createWindowStore } from "../../lib/tasks/window-store.ts";
import { createWindows } from "../../lib/tasks/windows.ts";
import { createDeliverer } from "../../lib/webhooks/deliverer.ts";
import { createWebhookStore } from "../../lib/webhooks/store.ts";
import type { Resources } from "../../local/resources.ts";
import { consumerDeps, createRuntime, NOW, type Script } from "./consumer.ts";
import { createTally } from "./metrics.ts";

/** A message in a queue of a fake clock. */
export interface QueuedMessage extends QueueMessage {
  id: string;
  sentAt: number;
  visibleAt: number;
  receives: number;
}

/** A target of webhooks: returns its answer to a request, or throws. */
export type Target = (request: EgressRequest) => EgressResponse | Promise<EgressResponse>;

export interface HookWorldOptions {
  dynamo: Pick<DynamoDBClient, "send">;
  env: Resources["env"];
  /** `event_handlers.events` of the API "demo". */
  events: Record<string, { handler_name: string; handler_meta: object }[]>;
  templates?: Release["templates"];
  scripts?: Record<string, Script>;
  target?: Target;
  random?: () => number;
  /** The probability that a process dies before or after one of its calls. */
  deaths?: number;
  batchSize?: number;
}

class Killed extends Error {}

/** Consumers on a DynamoDB engine, with their own queue and clock; after its death a consumer has no effect. */
export function createHookWorld(options: HookWorldOptions) {
  const { dynamo, env, target, random = Math.random, batchSize = 10 } = options;
  const [{ api, error } = { api: undefined }] = parseDefinitions(
    "apis/demo.json",
    JSON.stringify({ api_id: "demo", org_id: "o1", event_handlers: { events: options.events } }),
  );
  if (!api) throw error;
  const { templates } = options;
  const release = openRelease("v1", {
    format: 1,
    apis: [api],
    scripts: [],
    ...(templates && { templates }),
  });
  let clock = NOW;
  const now = () => clock;
  const queue: QueuedMessage[] = [];
  const letters: QueuedMessage[] = [];
  const lines: { level: string; message: string; fields: Record<string, unknown> }[] = [];
  const world = { deaths: options.deaths ?? 0, killed: 0, target };
  const { metrics, tally } = createTally();

  function put(to: QueuedMessage[], message: QueueMessage): void {
    const visibleAt = clock + (message.delaySeconds ?? 0) * 1_000;
    to.push({ ...message, id: randomUUID(), sentAt: clock, visibleAt, receives: 0 });
  }

  /** A process. Its calls have no effect after its death. */
  function startContainer() {
    let dead = false;
    const alive = <Args extends unknown[], T>(call: (...args: Args) => T | Promise<T>) => {
      const die = () => {
        dead = true;
        world.killed += 1;
        throw new Killed("the process is dead");
      };
      return async (...args: Args): Promise<T> => {
        if (dead) throw new Killed("the process is dead");
        const fate = random();
        if (fate < world.deaths / 2) die();
        const made = await call(...args);
        if (dead || fate > 1 - world.deaths / 2) die();
        return made;
      };
    };
    const store = { send: alive((command: never) => dynamo.send(command)) } as typeof dynamo;
    const send = alive(async (message: QueueMessage) => put(queue, message));
    const chance = { now, random };
    const sendTask = createSendTask({ send, now, newId: randomUUID });
    const log = (level: string) => (message: string, fields: Record<string, unknown>) => {
      if (!dead) lines.push({ level, message, fields });
    };
    const logs = { debug: log("debug"), info: log("info"), warn: log("warn"), error: log("error") };
    const returns = new Map<string, number>();
    const consume = createConsumer({
      ...consumerDeps(),
      ...chance,
      store: createConsumerStore({
        dynamo: store,
        sessionsTable: env.SESSIONS_TABLE,
        stateTable: env.STATE_TABLE,
        ledgerTtlSeconds: 1_000_000,
        newToken: randomUUID,
        ...chance,
      }),
      live: {
        at: async () => ({ release, runtime: createRuntime(options.scripts ?? {}) }),
        close: async () => {},
      },
      circuit: createCircuit(chance),
      sendTask,
      windows: createWindows({
        store: createWindowStore({
          dynamo: store,
          table: env.STATE_TABLE,
          ttlSeconds: 1_000_000,
          newToken: randomUUID,
          ...chance,
        }),
        sendTask,
        counter: randomUUID(),
        now,
        metrics,
      }),
      deliver: createDeliverer({
        egress: {
          send: alive(async (request: EgressRequest) => {
            if (!world.target) throw new Error("there is no target");
            return world.target(request);
          }),
        },
        store: createWebhookStore({
          dynamo: store,
          table: env.STATE_TABLE,
          ttlSeconds: 1_000_000,
          ...chance,
        }),
        sendTask,
        timeoutMs: 10_000,
        log: logs,
        metrics,
        ...chance,
      }),
      sendDeadLetter: createDeadLetters(alive(async (message: QueueMessage) => put(letters, message))),
      changeVisibility: alive(async (given: { record: { messageId: string }; seconds: number }[]) => {
        for (const { record, seconds } of given) returns.set(record.messageId, seconds);
      }),
      requeue: createRequeue(send),
      log: logs,
      metrics,
    });
    return {
      isDead: () => dead,
      async take(batch: QueuedMessage[]): Promise<void> {
        returns.clear();
        const records = batch.map(({ id, body, attributes = {}, sentAt, receives }) => ({
          messageId: id,
          receiptHandle: id,
          body,
          attributes: { ApproximateReceiveCount: String(receives), SentTimestamp: String(sentAt) },
          messageAttributes: Object.fromEntries(
            Object.entries(attributes).flatMap(([name, stringValue]) =>
              stringValue === undefined ? [] : [[name, { stringValue }]],
            ),
          ),
        }));
        const failed = await consume(records, () => 60_000).catch(() => undefined);
        if (dead || !failed) return;
        for (const message of batch) {
          const seconds = returns.get(message.id);
          if (!failed.includes(message.id)) queue.splice(queue.indexOf(message), 1);
          else if (seconds !== undefined) message.visibleAt = clock + seconds * 1_000;
        }
      },
    };
  }

  /** As in SQS: in random order, and then hidden for six minutes. */
  function receive(): QueuedMessage[] {
    const visible = queue.filter(({ visibleAt }) => visibleAt <= clock);
    const batch: QueuedMessage[] = [];
    while (batch.length < batchSize && visible.length > 0)
      batch.push(...visible.splice(Math.floor(random() * visible.length), 1));
    for (const message of batch) {
      message.visibleAt = clock + VISIBILITY_MS;
      message.receives += 1;
    }
    return batch;
  }

  const containers: ReturnType<typeof startContainer>[] = [];

  /** One batch for each of this number of consumers, at the same time. False if no message is visible. */
  async function step(consumers: number): Promise<boolean> {
    while (containers.length < consumers) containers.push(startContainer());
    const batches = containers
      .slice(0, consumers)
      .map((container) => ({ container, batch: receive() }))
      .filter(({ batch }) => batch.length > 0);
    if (batches.length === 0) return false;
    await Promise.all(batches.map(({ container, batch }) => container.take(batch)));
    for (const [at, container] of containers.entries())
      if (container.isDead()) containers[at] = startContainer();
    clock += STEP_MS;
    return true;
  }

  return {
    world,
    queue,
    letters,
    lines,
    tally,
    now,
    /** Advances the clock, in ms. */
    pass(ms: number) {
      clock += ms;
    },
    /** Sends a new event, or a copy of an event with the same id. */
    publish(id: string, { type = "KeyExpired", ...meta }: { type?: string; [member: string]: unknown } = {}) {
      const event = { Type: type, Meta: meta, TimeStamp: "" };
      put(queue, { body: JSON.stringify({ id, api_id: "demo", event }) });
    },
    put: (message: QueueMessage) => put(queue, message),
    step,
    /** Runs batches until the queue is empty; advances the clock to the next message if none is visible. */
    async settle({ consumers = 3, until = () => false }: { consumers?: number; until?: () => boolean } = {}) {
      while (queue.length > 0 && !until()) {
        if (await step(consumers)) continue;
        clock = Math.max(clock + 1, Math.min(...queue.map(({ visibleAt }) => visibleAt)));
      }
    },
  };
}

const VISIBILITY_MS = 360_000;
/** The duration of a batch. */
const STEP_MS = 20;

export const answer = (
  status: number,
  headers: Record<string, string[]> = {},
  body = "",
): EgressResponse => ({
  status,
  headers,
  body: Buffer.from(body),
  url: "",
});
