import { randomBytes, randomUUID } from "node:crypto";
import { DescribeTableCommand } from "@aws-sdk/client-dynamodb";
import { PutObjectCommand } from "@aws-sdk/client-s3";
import { SendMessageBatchCommand, SQSClient } from "@aws-sdk/client-sqs";
import { GetCommand, PutCommand } from "@aws-sdk/lib-dynamodb";
import type { SQSBatchResponse, SQSRecord } from "aws-lambda";
import type { Artifact } from "../../deploy/package.ts";
import { type ChangedBy, type GatewayState, sessionItem } from "../../lib/sessions/item.ts";
import type { Session } from "../../lib/sessions/session.ts";
import { noticeOf } from "../../local/bucket-watch.ts";
import type { LocalFunction } from "../../local/lambda/lambda.ts";
import { startPump } from "../../local/pump.ts";
import { startStreamPump } from "../../local/stream-pump.ts";
import type { Deployed } from "./deployed.ts";
import { type Deployment, deploy } from "./deployment.ts";
import { API, filesOf, ORG } from "./files.ts";
import type { Gateway } from "./gateway.ts";

/** The deployment at work: one container a function, and the mappings that bring the consumer and gateway-sync batches. */
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
  send(events: Event[]): Promise<void>;
  /** Makes a key at the gateway, which alone knows it then. */
  createKey(): string;
  /** Puts an item of the sessions table. */
  store(key: string, session: Session | undefined, gateway?: GatewayState): Promise<void>;
  row(key: string): Promise<Row | undefined>;
}

/** An item of the sessions table. */
export interface Row {
  session?: Session;
  gateway?: GatewayState;
  changed_by?: ChangedBy;
}

interface Event {
  id: string;
  Type: string;
  Key: string;
  /** The gateway's own level, or the API of the upload. */
  api?: string;
  /** Of the client's request. */
  Path?: string;
}

/** The events of a batch, and those of them that were handed back. */
export interface Answer {
  ids: string[];
  failed: string[];
}

/** An event as the gateway sends it, on its way to the consumer. */
function bodyOf({ id, Type, Key, api = API, Path }: Event): string {
  return JSON.stringify({ id, api_id: api, event: { Type, Meta: { Key, Path }, TimeStamp: "" } });
}

/** A batch of one event, as SQS brings it the first time. */
export const batch = (event: Omit<Event, "id">) => ({
  Records: [
    {
      messageId: crypto.randomUUID(),
      body: bodyOf({ id: crypto.randomUUID(), ...event }),
      attributes: { ApproximateReceiveCount: "1" },
      messageAttributes: {},
    },
  ],
});

/** A request to ingest, as the HTTP API passes it on. */
export const eventRequest = (headers: Record<string, string>, body: string) => ({
  headers,
  rawPath: `/events/${API}`,
  requestContext: { http: { method: "POST" } },
  pathParameters: { api_id: API },
  body,
});

export const SESSION: Session = { expires: 0, org_id: ORG, access_rights: { [API]: { api_id: API } } };

/** Too large for an item of the history, also when it is packed. */
export const longPath = () => `/${randomBytes(150_000).toString("base64url")}`;

/** Settings that only make waits shorter, and leave no attempt of a failed event out of the history. */
export const QUICK = { RELEASE_QUIET_MS: "0", GATEWAY_CACHE_SECONDS: "1", HISTORY_MAX_PER_SECOND: "1000" };

export async function startWorld(artifact: Artifact, gateway: Gateway): Promise<World> {
  const deployment = await deploy(artifact, gateway.secret);
  const { clients, functions, ref } = deployment;
  const deployed = (name: string) => {
    const found = functions.get(name);
    if (!found) throw new Error(`the template has no function ${name}`);
    return found;
  };
  const containers = new Map<string, LocalFunction>();
  for (const [name, { start }] of functions) containers.set(name, await start(QUICK));
  const container = (name: string) => containers.get(name) as LocalFunction;

  const answers: Answer[] = [];
  const waiting = new Map<string, (answer: Answer) => void>();
  const errors: Error[] = [];
  /** Lambda takes the messages of a function's queue in its name. */
  const sourceOf = (name: string, queue: string) => {
    const { region, credentials } = clients.sqs.config;
    const { url } = deployed(name).gate;
    const sqs = new SQSClient({ region, credentials, endpoint: url });
    return { sqs, queueUrl: ref(queue).replace(/^http:\/\/[^/]+/, url) };
  };
  const onError = (error: Error) => void errors.push(error);
  const events = sourceOf("consumer", "EventsQueue");
  const pump = await startPump({
    queueStays: true,
    ...events,
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
    onError,
  });
  const again = sourceOf("gateway-sync", "SyncQueue");
  const { invoke } = container("gateway-sync");
  const againPump = await startPump({ ...again, batchSize: 10, queueStays: true, invoke, onError });
  const { Table } = await clients.dynamo.send(new DescribeTableCommand({ TableName: ref("SessionsTable") }));
  const stream = startStreamPump({
    streams: clients.streams,
    streamArn: Table?.LatestStreamArn ?? "",
    batchSize: 100,
    invoke,
    onError,
  });
  let keys = 0;

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
    async send(some) {
      const Entries = some.map((event) => ({ Id: randomUUID(), MessageBody: bodyOf(event) }));
      await clients.sqs.send(new SendMessageBatchCommand({ QueueUrl: ref("EventsQueue"), Entries }));
    },
    createKey() {
      keys += 1;
      const key = `${ORG}k${keys}`;
      gateway.create(key, SESSION);
      return key;
    },
    async store(key, session, state) {
      const Item = sessionItem(key, session, 1, 0, state);
      await clients.dynamo.send(new PutCommand({ TableName: ref("SessionsTable"), Item }));
    },
    async row(key) {
      const { Item } = await clients.dynamo.send(
        new GetCommand({ TableName: ref("SessionsTable"), Key: { key }, ConsistentRead: true }),
      );
      return Item as Row | undefined;
    },
    async close() {
      await Promise.all([pump.close(), againPump.close(), stream.close()]);
      for (const { sqs } of [events, again]) sqs.destroy();
      await deployment.close();
    },
  };
}
