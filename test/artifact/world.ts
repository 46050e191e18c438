import { randomUUID } from "node:crypto";
import { PutObjectCommand } from "@aws-sdk/client-s3";
import { SendMessageBatchCommand, SQSClient } from "@aws-sdk/client-sqs";
import { GetCommand, PutCommand } from "@aws-sdk/lib-dynamodb";
import type { SQSBatchResponse, SQSRecord } from "aws-lambda";
import type { Artifact } from "../../deploy/package.ts";
import { sessionItem } from "../../lib/sessions/item.ts";
import type { Session } from "../../lib/sessions/session.ts";
import { noticeOf } from "../../local/bucket-watch.ts";
import type { LocalFunction } from "../../local/lambda/lambda.ts";
import { startPump } from "../../local/pump.ts";
import type { Deployed } from "./deployed.ts";
import { type Deployment, deploy } from "./deployment.ts";
import { API, filesOf } from "./files.ts";
import type { Gateway } from "./gateway.ts";

/** The deployment at work: one container a function, and the queue's mapping to the consumer. */
export interface World extends Deployment {
  gateway: Gateway;
  deployed(name: string): Deployed;
  container(name: string): LocalFunction;
  /** What the consumer answered to the batch that had this event. */
  answerTo(id: string): Promise<Answer>;
  /** Batches that failed as a whole. */
  errors: Error[];
  upload(mark: string): Promise<string[]>;
  /** Has the releaser woken as S3 does. */
  wake(keys: string[]): Promise<unknown>;
  send(events: { id: string; Type: string; Key: string }[]): Promise<void>;
  storeSession(key: string): Promise<void>;
  tags(key: string): Promise<string[] | undefined>;
}

/** The events of a batch, and those of them that were handed back. */
export interface Answer {
  ids: string[];
  failed: string[];
}

/** An event as the gateway sends it, on its way to the consumer. */
export function bodyOf({ id, Type, Key }: { id: string; Type: string; Key: string }): string {
  return JSON.stringify({ id, api_id: API, event: { Type, Meta: { Key }, TimeStamp: "" } });
}

const SESSION: Session = { expires: 0, org_id: "org", access_rights: { [API]: { api_id: API } } };

export async function startWorld(artifact: Artifact, gateway: Gateway): Promise<World> {
  const deployment = await deploy(artifact);
  const { clients, functions, ref } = deployment;
  const deployed = (name: string) => {
    const found = functions.get(name);
    if (!found) throw new Error(`the template has no function ${name}`);
    return found;
  };
  const containers = new Map<string, LocalFunction>();
  for (const [name, { start }] of functions) containers.set(name, await start({ RELEASE_QUIET_MS: "0" }));
  const container = (name: string) => containers.get(name) as LocalFunction;

  const answers: Answer[] = [];
  const waiting = new Map<string, (answer: Answer) => void>();
  const errors: Error[] = [];
  const gate = deployed("consumer").gate.url;
  const { region, credentials } = clients.sqs.config;
  const sqs = new SQSClient({ region, credentials, endpoint: gate });
  const pump = await startPump({
    sqs,
    queueUrl: ref("EventsQueue").replace(/^http:\/\/[^/]+/, gate),
    batchSize: 10,
    async invoke(batch) {
      const answer = await container("consumer").invoke(batch);
      const { batchItemFailures } = answer as SQSBatchResponse;
      const failed = new Set(batchItemFailures.map(({ itemIdentifier }) => itemIdentifier));
      const idOf = ({ body }: SQSRecord) => (JSON.parse(body) as { id: string }).id;
      const known: Answer = {
        ids: batch.Records.map(idOf),
        failed: batch.Records.filter(({ messageId }) => failed.has(messageId)).map(idOf),
      };
      answers.push(known);
      for (const id of known.ids) waiting.get(id)?.(known);
      return answer;
    },
    onError: (error) => errors.push(error),
  });

  return {
    ...deployment,
    gateway,
    deployed,
    container,
    errors,
    answerTo: (id) =>
      new Promise((resolve) => {
        const known = answers.find(({ ids }) => ids.includes(id));
        if (known) resolve(known);
        else waiting.set(id, resolve);
      }),
    async upload(mark) {
      const files = filesOf(mark);
      for (const { path, text } of files)
        await clients.s3.send(new PutObjectCommand({ Bucket: ref("FilesBucket"), Key: path, Body: text }));
      return files.map(({ path }) => path);
    },
    wake: (keys) => container("releaser").invoke(noticeOf(keys)),
    async send(events) {
      const Entries = events.map((event) => ({ Id: randomUUID(), MessageBody: bodyOf(event) }));
      await clients.sqs.send(new SendMessageBatchCommand({ QueueUrl: ref("EventsQueue"), Entries }));
    },
    async storeSession(key) {
      const Item = sessionItem(key, SESSION, 1, 0);
      await clients.dynamo.send(new PutCommand({ TableName: ref("SessionsTable"), Item }));
    },
    async tags(key) {
      const { Item } = await clients.dynamo.send(
        new GetCommand({ TableName: ref("SessionsTable"), Key: { key }, ConsistentRead: true }),
      );
      return (Item?.session as Session | undefined)?.tags as string[] | undefined;
    },
    async close() {
      await pump.close();
      sqs.destroy();
      await deployment.close();
    },
  };
}
