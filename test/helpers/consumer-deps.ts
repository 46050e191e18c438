import { createCircuit } from "../../lib/consumer/circuit.ts";
import type { ConsumerDeps } from "../../lib/consumer/consumer.ts";
import type { QueueRecord } from "../../lib/consumer/records.ts";
import { createMemoryEntries, createStorage } from "../../lib/storage/storage.ts";

export const NOW = 1_787_396_400_000;

/** What a consumer needs beside its store and its runtime, without any service. */
export const consumerDeps = (): Omit<ConsumerDeps, "store" | "live"> => ({
  sendDeadLetter: async () => {},
  handBack: async () => {},
  retryDelay: (receives) => receives,
  circuit: createCircuit({ now: () => NOW, random: () => 1 }),
  makeHttpRequest: async () => undefined,
  batchRequest: async () => undefined,
  storage: createStorage({ entries: createMemoryEntries(), now: () => 0 }),
  allowMasterKeys: true,
  timeoutMs: 1_000,
  graceMs: 0,
  workers: 1,
  maxAttempts: 5,
  receiveLimit: 50,
  handlerErrors: "retry",
  now: () => NOW,
  log: { info() {}, warn() {}, error() {} },
});

export interface MessageOptions {
  messageId?: string;
  receives?: number;
  type?: string;
  key?: string;
  apiId?: string;
  body?: string;
  attributes?: Record<string, string>;
  /** Of a FIFO queue. */
  group?: string;
}

/** A message of a KeyExpired event for the API "demo"; its key is its id. */
export function message(id: string, options: MessageOptions = {}): QueueRecord {
  const {
    messageId = `m-${id}`,
    receives = 1,
    type = "KeyExpired",
    key = id,
    apiId = "demo",
    group,
  } = options;
  const event = { Type: type, Meta: { Key: key }, TimeStamp: "" };
  return {
    messageId,
    receiptHandle: `r-${messageId}`,
    body: options.body ?? JSON.stringify({ id, api_id: apiId, event }),
    attributes: { ApproximateReceiveCount: String(receives), ...(group && { MessageGroupId: group }) },
    messageAttributes: Object.fromEntries(
      Object.entries(options.attributes ?? {}).map(([name, stringValue]) => [name, { stringValue }]),
    ),
  };
}
