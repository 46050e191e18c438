import {
  DeleteMessageBatchCommand,
  GetQueueAttributesCommand,
  type QueueAttributeName,
  ReceiveMessageCommand,
  SendMessageBatchCommand,
} from "@aws-sdk/client-sqs";
import { BatchGetCommand, ScanCommand } from "@aws-sdk/lib-dynamodb";
import type { Session } from "../../lib/sessions/session.ts";
import type { Stack } from "../../local/stack.ts";
import type { Accounts } from "./accounts.ts";
import { type ChaosEvent, effectOf, entryOf, idOfEntry, LEDGER_HANDLERS, markOf } from "./workload.ts";

/** The chaos's own requests to the queues and tables, without proxies. */
export interface Traffic {
  send(events: ChaosEvent[]): Promise<void>;
  /** The number of unacknowledged messages of the events queue. */
  backlog(): Promise<number>;
  /** Reads the dead letters, and adds them to the accounts. */
  readDeadLetters(): Promise<void>;
  /** Reads these events' own sessions or ledger entries, and adds them to the accounts. */
  readMarks(events: ChaosEvent[]): Promise<void>;
  /** A ledger entry that is the only trace of its event counts as the event's own session. */
  readSessions(): Promise<Map<string, Session>>;
}

// biome-ignore lint/suspicious/noExplicitAny: an item may contain anything
type Item = Record<string, any>;

const isOfLedger = ({ effects }: ChaosEvent) => effects.some(({ handler }) => LEDGER_HANDLERS.has(handler));
const effectsIn = (id: string, done: string[] = []) => done.map((handler) => effectOf(id, handler));

const SQS_BATCH = 10;
const DYNAMO_BATCH = 100;

export function createTraffic({ clients, resources }: Stack, accounts: Accounts): Traffic {
  const { sqs, dynamo } = clients;
  const { EVENTS_QUEUE_URL, DEAD_LETTERS_QUEUE_URL, SESSIONS_TABLE, STATE_TABLE } = resources;

  const fifo = EVENTS_QUEUE_URL.endsWith(".fifo");
  let sent = 0;

  async function readSome(
    table: string,
    events: ChaosEvent[],
    keyOf: (event: ChaosEvent) => Record<string, string>,
  ): Promise<[ChaosEvent, Item][]> {
    if (events.length === 0) return [];
    const byKey = new Map(events.map((event) => [Object.values(keyOf(event))[0], event]));
    const RequestItems = { [table]: { Keys: events.map(keyOf) } };
    const { Responses } = await dynamo.send(new BatchGetCommand({ RequestItems }));
    return (Responses?.[table] ?? []).flatMap((item) => {
      const event = byKey.get(item.key ?? item.pk);
      return event ? [[event, item] satisfies [ChaosEvent, Item]] : [];
    });
  }

  async function* scan(TableName: string): AsyncGenerator<Item> {
    let ExclusiveStartKey: Item | undefined;
    do {
      const page = await dynamo.send(
        new ScanCommand({ TableName, ConsistentRead: true, ...(ExclusiveStartKey && { ExclusiveStartKey }) }),
      );
      yield* page.Items ?? [];
      ExclusiveStartKey = page.LastEvaluatedKey;
    } while (ExclusiveStartKey);
  }

  return {
    async send(events) {
      for (const event of events) accounts.send(event);
      const Entries = events.map(({ body, key }, nth) => {
        sent += 1;
        const order = fifo && { MessageGroupId: key, MessageDeduplicationId: String(sent) };
        return { Id: String(nth), MessageBody: body, ...order };
      });
      const { Failed } = await sqs.send(new SendMessageBatchCommand({ QueueUrl: EVENTS_QUEUE_URL, Entries }));
      if (Failed?.[0]) throw new Error(`the queue does not take an event: ${Failed[0].Message}`);
    },
    async backlog() {
      const { Attributes } = await sqs.send(
        new GetQueueAttributesCommand({ QueueUrl: EVENTS_QUEUE_URL, AttributeNames: ["All"] }),
      );
      return ["", "NotVisible", "Delayed"]
        .map((state) => `ApproximateNumberOfMessages${state}` as QueueAttributeName)
        .reduce((sum, name) => sum + Number(Attributes?.[name] ?? 0), 0);
    },
    async readDeadLetters() {
      for (;;) {
        const { Messages = [] } = await sqs.send(
          new ReceiveMessageCommand({
            QueueUrl: DEAD_LETTERS_QUEUE_URL,
            MaxNumberOfMessages: SQS_BATCH,
            MessageAttributeNames: ["All"],
          }),
        );
        if (Messages.length === 0) return;
        for (const { Body = "", MessageAttributes } of Messages) {
          accounts.bury(Body, MessageAttributes?.reason?.StringValue ?? "given up by the queue itself");
        }
        const Entries = Messages.map(({ ReceiptHandle }, nth) => ({ Id: String(nth), ReceiptHandle }));
        await sqs.send(new DeleteMessageBatchCommand({ QueueUrl: DEAD_LETTERS_QUEUE_URL, Entries }));
      }
    },
    async readMarks(events) {
      for (let at = 0; at < events.length; at += DYNAMO_BATCH) {
        const some = events.slice(at, at + DYNAMO_BATCH);
        const seen = [
          ...(await readSome(SESSIONS_TABLE, some, ({ id }) => ({ key: markOf(id) }))).map(
            ([event, { session }]) => [event, session.tags ?? []] as const,
          ),
          ...(await readSome(STATE_TABLE, some.filter(isOfLedger), ({ id }) => ({ pk: entryOf(id) }))).map(
            ([event, { done }]) => [event, effectsIn(event.id, done)] as const,
          ),
        ];
        for (const [event, effects] of seen) accounts.see(event, effects);
      }
    },
    async readSessions() {
      const sessions = new Map<string, Session>();
      for await (const { key, session } of scan(SESSIONS_TABLE)) sessions.set(key, session);
      for await (const { pk, done = [] } of scan(STATE_TABLE)) {
        const id = idOfEntry(pk);
        const said = (done as string[]).filter((handler) => LEDGER_HANDLERS.has(handler));
        if (id !== undefined && said.length > 0)
          sessions.set(markOf(id), { tags: effectsIn(id, said) } as Session);
      }
      return sessions;
    },
  };
}
