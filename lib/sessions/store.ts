import { isDeepStrictEqual } from "node:util";
import {
  DeleteCommand,
  type DynamoDBDocumentClient,
  GetCommand,
  PutCommand,
  QueryCommand,
} from "@aws-sdk/lib-dynamodb";
import { nextVersion, type StoredSession, sessionItem, storedSession } from "./item.ts";
import type { ListQuery, Place } from "./list.ts";
import type { Session } from "./session.ts";

export interface ListedSession {
  key: string;
  /** In unix seconds; 0 is never. */
  expires: number;
  version: number;
  /** In unix seconds. */
  updated_at: number;
  /** Only when it was asked for. */
  session?: Session;
}

export interface SessionStore {
  read(key: string): Promise<StoredSession>;
  /** The new version; undefined when the item is not at the version that was read any more. */
  put(key: string, session: Session, read: number): Promise<number | undefined>;
  /** False when the item is there, but not at the version that was read any more. */
  remove(key: string, read: number): Promise<boolean>;
  /** One page, ordered by `expires`; it may have fewer than `limit`. `next` is where it ended, unless at the end. */
  list(query: ListQuery, whole: boolean): Promise<{ sessions: ListedSession[]; next: Place | undefined }>;
}

const LISTED = ["key", "expires", "version", "updated_at"];

/** The table that handlers' commits change at the same time; each write is put on condition of the version read. */
export function createSessionStore(deps: {
  dynamo: DynamoDBDocumentClient;
  table: string;
  now: () => number;
  random: () => number;
}): SessionStore {
  const { dynamo, table: TableName } = deps;
  const seconds = () => Math.floor(deps.now() / 1000);

  async function readItem(key: string): Promise<Record<string, unknown> | undefined> {
    return (await dynamo.send(new GetCommand({ TableName, Key: { key }, ConsistentRead: true }))).Item;
  }

  return {
    read: async (key) => storedSession(await readItem(key), deps.now(), deps.random),
    async put(key, session, read) {
      const version = nextVersion(read);
      const Item = sessionItem(key, session, version, seconds());
      const put = new PutCommand({ TableName, Item, ...condition(read) });
      if (await holds(dynamo.send(put))) return version;
      // When the answer to a write is lost, the SDK sends it again, and that meets its own version.
      return isDeepStrictEqual(await readItem(key), Item) ? version : undefined;
    },
    async remove(key, read) {
      const remove = new DeleteCommand({ TableName, Key: { key }, ...condition(read) });
      return (await holds(dynamo.send(remove))) || (await readItem(key)) === undefined;
    },
    async list({ orgId, range, limit, after }, whole) {
      const names = whole ? [...LISTED, "session"] : LISTED;
      const { Items = [], LastEvaluatedKey } = await dynamo.send(
        new QueryCommand({
          TableName,
          IndexName: "by-org",
          KeyConditionExpression: `org_id = :org${range ? " AND #expires BETWEEN :from AND :to" : ""}`,
          // What has ended stays in the table for a while.
          FilterExpression: "attribute_not_exists(#ttl) OR #ttl > :now",
          ProjectionExpression: names.map((name) => `#${name}`).join(),
          ExpressionAttributeNames: Object.fromEntries([...names, "ttl"].map((name) => [`#${name}`, name])),
          ExpressionAttributeValues: {
            ":org": orgId,
            ":now": seconds(),
            ...(range && { ":from": range.from, ":to": range.to }),
          },
          Limit: limit,
          ExclusiveStartKey: after,
        }),
      );
      return { sessions: Items as ListedSession[], next: LastEvaluatedKey as Place | undefined };
    },
  };
}

/** As in the consumer's commits: nobody's change is written over unread. */
const condition = (read: number) => ({
  ExpressionAttributeNames: { "#version": "version" },
  ...(read <= 0
    ? { ConditionExpression: "attribute_not_exists(#version)" }
    : { ConditionExpression: "#version = :read", ExpressionAttributeValues: { ":read": read } }),
});

async function holds(write: Promise<unknown>): Promise<boolean> {
  try {
    await write;
    return true;
  } catch (thrown) {
    if ((thrown as Error).name === "ConditionalCheckFailedException") return false;
    throw thrown;
  }
}
