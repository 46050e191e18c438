import { randomUUID } from "node:crypto";
import { BatchWriteItemCommand } from "@aws-sdk/client-dynamodb";
import { PutCommand } from "@aws-sdk/lib-dynamodb";
import { toAttributes } from "../../lib/dynamo/attributes.ts";
import { SCOPED_KEY } from "../../lib/dynamo/state-keys.ts";
import { readCandidate } from "../../lib/releases/examine.ts";
import type { SourceFile } from "../../lib/releases/sources.ts";
import { createReleaseStore } from "../../lib/releases/store.ts";
import { sessionItem } from "../../lib/sessions/item.ts";
import type { Session } from "../../lib/sessions/session.ts";
import { startAws } from "../../local/aws.ts";
import { createClients, createResources, type Resources } from "../../local/resources.ts";

/** Separate tables, queues and a bucket, with one release. */
export interface Space {
  /** The environment of the functions. */
  env: Record<string, string> & Resources["env"];
  putSessions(keys: Iterable<string>, session: Session): Promise<void>;
}

/** The embedded services, for any number of spaces. */
export interface Place {
  space(files: SourceFile[]): Promise<Space>;
  close(): Promise<void>;
}

const BATCH_WRITE = 25;
const MAX_BATCH_BYTES = 4_000_000;

export async function openPlace(): Promise<Place> {
  const aws = await startAws(process.env);
  const clients = createClients(aws);
  const { dynamoClient, dynamo, s3 } = clients;

  async function publish(env: Resources["env"], files: SourceFile[]): Promise<void> {
    const { version, text, errors } = readCandidate(files);
    if (errors.length > 0) throw new Error(JSON.stringify(errors));
    const [bucket, table] = [env.FILES_BUCKET, env.STATE_TABLE];
    const store = createReleaseStore({ s3, bucket, dynamo, table, now: Date.now });
    await store.write(version, text);
    // As in a table that has been in use for a while: entries of version 0.1 are no longer looked up.
    await dynamo.send(new PutCommand({ TableName: table, Item: { pk: SCOPED_KEY, since: 0 } }));
    const target = { version, built: version, refused: false };
    if (
      !(await store.record(await store.pointer(), target, { version } as Parameters<typeof store.record>[2]))
    )
      throw new Error("the release did not become the live one");
  }

  return {
    async space(files) {
      const prefix = `bench-${randomUUID().slice(0, 8)}`;
      const { env } = await createResources(clients, { prefix, visibilitySeconds: 180, receiveLimit: 50 });
      await publish(env, files);
      return {
        env: { ...aws.env, ...env },
        async putSessions(keys, session) {
          const most = Math.max(1, Math.floor(MAX_BATCH_BYTES / JSON.stringify(session).length));
          await writeAll(env.SESSIONS_TABLE, [...keys], session, Math.min(BATCH_WRITE, most));
        },
      };
    },
    async close() {
      for (const client of Object.values(clients)) client.destroy();
      await aws.close();
    },
  };

  async function writeAll(table: string, keys: string[], session: Session, size: number): Promise<void> {
    let next = 0;
    const work = async () => {
      while (next < keys.length) {
        const some = keys.slice(next, next + size);
        next += size;
        const puts = some.map((key) => ({
          PutRequest: { Item: toAttributes(sessionItem(key, session, 1, 0)) },
        }));
        await dynamoClient.send(new BatchWriteItemCommand({ RequestItems: { [table]: puts } }));
      }
    };
    await Promise.all(Array.from({ length: 4 }, work));
  }
}
