import { randomUUID } from "node:crypto";
import { DeleteMessageCommand, type Message, ReceiveMessageCommand } from "@aws-sdk/client-sqs";
import { GetCommand, PutCommand } from "@aws-sdk/lib-dynamodb";
import { createLogLines, type LogLine, type LogLines } from "../../cli/dev/log-lines.ts";
import { sessionItem } from "../../lib/sessions/item.ts";
import type { Session } from "../../lib/sessions/session.ts";
import { readSourceFiles } from "../../local/files.ts";
import { type Stack, type StackOptions, startStack } from "../../local/stack.ts";

/** A separate stack for one test file, with the live samples. Tests wait for facts, never for a fixed time. */
export interface TestStack extends Stack {
  facts: LogLines;
  /** The first fact that matches, among those so far and later ones. */
  fact(fits: (fact: LogLine) => boolean): Promise<LogLine>;
  post(apiId: string, body: string): Promise<Response>;
  storeSession(key: string, session: Session): Promise<void>;
  session(key: string): Promise<Session | undefined>;
  /** Receives and deletes the next dead letter. */
  deadLetter(): Promise<Message>;
}

export async function startTestStack(
  options: Partial<StackOptions> & { folder?: string } = {},
): Promise<TestStack> {
  const seen: LogLine[] = [];
  const facts = createLogLines((name, line) => console.error(`[${name}] ${line}`));
  facts.listen((fact) => seen.push(fact));
  const stack = await startStack({
    port: 0,
    env: process.env,
    prefix: `test-${randomUUID().slice(0, 8)}`,
    ...options,
    onLine(name, line) {
      options.onLine?.(name, line);
      facts.onLine(name, line);
    },
  });
  const files = await readSourceFiles(options.folder ?? ".");
  await Promise.all(files.map((file) => stack.releases.writeSource(file)));
  await stack.release();
  const { dynamo, sqs } = stack.clients;
  const { SESSIONS_TABLE, DEAD_LETTERS_QUEUE_URL } = stack.resources;

  return {
    ...stack,
    facts,
    fact: (fits) => {
      const known = seen.find(fits);
      if (known) return Promise.resolve(known);
      return new Promise((resolve) => {
        const stop = facts.listen((fact) => {
          if (!fits(fact)) return;
          stop();
          resolve(fact);
        });
      });
    },
    post: (apiId, body) => fetch(`${stack.url}/events/${apiId}`, { method: "POST", body }),
    async storeSession(key, session) {
      await dynamo.send(new PutCommand({ TableName: SESSIONS_TABLE, Item: sessionItem(key, session, 1, 0) }));
    },
    async session(key) {
      const { Item } = await dynamo.send(
        new GetCommand({ TableName: SESSIONS_TABLE, Key: { key }, ConsistentRead: true }),
      );
      return Item?.session as Session | undefined;
    },
    async deadLetter() {
      for (;;) {
        const { Messages } = await sqs.send(
          new ReceiveMessageCommand({
            QueueUrl: DEAD_LETTERS_QUEUE_URL,
            WaitTimeSeconds: 20,
            MessageSystemAttributeNames: ["All"],
            MessageAttributeNames: ["All"],
          }),
        );
        const message = Messages?.[0];
        if (!message) continue;
        await sqs.send(
          new DeleteMessageCommand({
            QueueUrl: DEAD_LETTERS_QUEUE_URL,
            ReceiptHandle: message.ReceiptHandle,
          }),
        );
        return message;
      }
    },
  };
}
