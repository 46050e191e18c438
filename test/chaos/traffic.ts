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
import { type ChaosEvent, markOf } from "./workload.ts";

/** What the chaos itself says to the queues and tables, past all proxies. */
export interface Traffic {
  send(events: ChaosEvent[]): Promise<void>;
  /** Messages of the events queue that nobody has acknowledged. */
  backlog(): Promise<number>;
  /** Takes what is in the dead letters to account. */
  readDeadLetters(): Promise<void>;
  /** Takes these events' own sessions to account. */
  readMarks(events: ChaosEvent[]): Promise<void>;
  readSessions(): Promise<Map<string, Session>>;
}

const SQS_BATCH = 10;
const DYNAMO_BATCH = 100;

export function createTraffic({ clients, resources }: Stack, accounts: Accounts): Traffic {
  const { sqs, dynamo } = clients;
  const { EVENTS_QUEUE_URL, DEAD_LETTERS_QUEUE_URL, SESSIONS_TABLE } = resources;

  const fifo = EVENTS_QUEUE_URL.endsWith(".fifo");
  let sent = 0;

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
        const some = new Map(events.slice(at, at + DYNAMO_BATCH).map((event) => [markOf(event.id), event]));
        const Keys = [...some.keys()].map((key) => ({ key }));
        const answer = await dynamo.send(
          new BatchGetCommand({ RequestItems: { [SESSIONS_TABLE]: { Keys } } }),
        );
        for (const { key, session } of answer.Responses?.[SESSIONS_TABLE] ?? []) {
          const event = some.get(key);
          if (event) accounts.see(event, session.tags ?? []);
        }
      }
    },
    async readSessions() {
      const sessions = new Map<string, Session>();
      let ExclusiveStartKey: Record<string, unknown> | undefined;
      do {
        const page = await dynamo.send(
          new ScanCommand({
            TableName: SESSIONS_TABLE,
            ConsistentRead: true,
            ...(ExclusiveStartKey && { ExclusiveStartKey }),
          }),
        );
        for (const { key, session } of page.Items ?? []) sessions.set(key, session);
        ExclusiveStartKey = page.LastEvaluatedKey;
      } while (ExclusiveStartKey);
      return sessions;
    },
  };
}
