import type { IncomingHttpHeaders } from "node:http";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { buildApp } from "fauxqs";
import { AppError, errorText } from "../lib/errors.ts";
import type { Service } from "./dynamodb.ts";
import { ownHosts, rejectionOf } from "./own-hosts.ts";

/**
 * fauxqs is assembled here from its own parts, since its own start function listens on every address of the machine.
 * The parts are not exported, so its version is pinned.
 */
type Stores = NonNullable<NonNullable<Parameters<typeof buildApp>[0]>["stores"]>;
type Persistence = NonNullable<Stores["sqsStore"]["persistence"]>;
type Maker<T, A extends unknown[] = []> = new (...args: A) => T;

type Asked = { headers: IncomingHttpHeaders };
type Answer = { code(status: number): { send(body: object): unknown } };

async function part<T>(file: string, name: string): Promise<T> {
  const module = await import(new URL(file, import.meta.resolve("fauxqs")).href);
  return module[name] as T;
}

/** `region`: a part of the queues' ARNs. */
export interface QueueAndBucketOptions {
  /** The folder of queues and bucket; without one they are in memory. */
  folder?: string | undefined;
  region: string;
}

/** Starts SQS and S3 in this process, on a free loopback port. */
export async function startQueueAndBucket({ folder, region }: QueueAndBucketOptions): Promise<Service> {
  const [SqsStore, SnsStore, S3Store] = await Promise.all([
    part<Maker<Stores["sqsStore"]>>("./sqs/sqsStore.js", "SqsStore"),
    part<Maker<Stores["snsStore"]>>("./sns/snsStore.js", "SnsStore"),
    part<Maker<Stores["s3Store"]>>("./s3/s3Store.js", "S3Store"),
  ]);
  const stores = { sqsStore: new SqsStore(), snsStore: new SnsStore(), s3Store: new S3Store() };
  const persistence = folder ? await openPersistence(folder, region) : undefined;
  const app = buildApp({ stores, host: "127.0.0.1", logger: false });
  if (persistence) {
    keep(stores, persistence);
    app.addHook("onClose", async () => persistence.close());
  }
  let isOwn = ownHosts(0);
  // A form of a web page could send messages to SQS, and a page whose host name resolves to this machine could read the
  // bucket.
  app.addHook("onRequest", async (request: Asked, answer: Answer) => {
    const rejection = rejectionOf(request.headers, isOwn);
    return rejection && answer.code(rejection.status).send({ message: rejection.message });
  });
  const endpoint = await app.listen({ port: 0, host: "127.0.0.1" });
  isOwn = ownHosts(Number(new URL(endpoint).port));
  return { endpoint, close: () => app.close() };
}

/** Loads the stored data, and then stores every change: in the reverse order, loading would write and lose messages. */
function keep({ sqsStore, snsStore, s3Store }: Stores, persistence: Persistence): void {
  persistence.load(sqsStore, snsStore, s3Store);
  sqsStore.persistence = persistence;
  for (const queue of sqsStore.allQueues()) queue.persistence = persistence;
  s3Store.persistence = persistence;
}

async function openPersistence(folder: string, region: string): Promise<Persistence> {
  const PersistenceManager = await part<Maker<Persistence, [string]>>(
    "./persistence.js",
    "PersistenceManager",
  );
  const file = join(folder, "fauxqs.db");
  try {
    const persistence = new PersistenceManager(folder);
    prepare(file, region);
    return persistence;
  } catch (cause) {
    const message = `${file} cannot be opened (${errorText(cause)}): delete ${folder} to start from nothing`;
    throw new AppError("local-failed", message, { cause });
  }
}

function prepare(file: string, region: string): void {
  const database = new DatabaseSync(file);
  try {
    // 1. A message that is made visible is written without its receive count, which the table refuses, and is lost.
    // 2. No consumer has a message any more, so none needs to wait for its visibility timeout.
    // 3. The region is a part of a queue's identity there, but its name is the key: in another region the queue would
    //    be made again, and its messages deleted.
    database.exec(`
      CREATE TRIGGER IF NOT EXISTS made_visible BEFORE UPDATE ON sqs_messages
        WHEN NEW.approximate_receive_count IS NULL
      BEGIN
        UPDATE sqs_messages SET receipt_handle = NULL, visibility_deadline = NULL
          WHERE message_id = OLD.message_id;
        SELECT RAISE(IGNORE);
      END;
      UPDATE sqs_messages SET receipt_handle = NULL, visibility_deadline = NULL;
    `);
    database
      .prepare("UPDATE sqs_queues SET arn = 'arn:aws:sqs:' || ? || ':000000000000:' || name")
      .run(region);
  } finally {
    database.close();
  }
}
