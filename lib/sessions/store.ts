import {
  type DynamoDBClient,
  GetItemCommand,
  type TransactWriteItem,
  TransactWriteItemsCommand,
} from "@aws-sdk/client-dynamodb";
import { fromAttributes, toAttributes } from "../dynamo/attributes.ts";
import { condition } from "../dynamo/condition.ts";
import {
  type ChangedBy,
  type GatewayState,
  nextMarks,
  nextVersion,
  ownEnd,
  type ProveMarks,
  type ReadItem,
  type StoredSession,
  sessionItem,
  storedSession,
} from "./item.ts";
import type { SessionEnd } from "./lifetime.ts";
import type { Session } from "./session.ts";

/**
 * One session at a time, by the name of its row. `read` is strongly consistent; errors of the SDK are thrown unchanged.
 */
export interface SessionStore {
  read(key: string): Promise<StoredSession>;
  /**
   * The new version; undefined if the item no longer has the version that was read. Without a session it writes a
   * tombstone.
   */
  put(key: string, session: Session | undefined, read: ReadItem, said: Said): Promise<number | undefined>;
  /** False if the item exists, but no longer has the version that was read. */
  remove(key: string, read: ReadItem): Promise<boolean>;
}

/** The other attributes of a new item. */
export interface Said {
  changedBy: ChangedBy;
  gateway?: GatewayState | undefined;
}

/** The table that handlers' commits change at the same time; each write is put on condition of the version read. */
export function createSessionStore(deps: {
  dynamo: Pick<DynamoDBClient, "send">;
  table: string;
  /** If no gateway determines how long a session is kept. */
  endOf?: (() => Promise<SessionEnd>) | undefined;
  proveMarks: ProveMarks;
  now: () => number;
  random: () => number;
}): SessionStore {
  const { dynamo, table: TableName } = deps;
  const seconds = () => Math.floor(deps.now() / 1000);

  async function readItem(key: string): Promise<Record<string, unknown> | undefined> {
    const Key = toAttributes({ key });
    const { Item } = await dynamo.send(new GetItemCommand({ TableName, Key, ConsistentRead: true }));
    return Item && fromAttributes(Item);
  }

  /**
   * A transaction with one action, because of its token: if a response is lost, the SDK sends it again, and DynamoDB
   * returns the same result. The condition of a plain put would fail because of its own first attempt, which looks like
   * another writer.
   */
  async function holds(write: TransactWriteItem): Promise<boolean> {
    try {
      await dynamo.send(new TransactWriteItemsCommand({ TransactItems: [write] }));
      return true;
    } catch (thrown) {
      if (CHANGED.has(reasonOf(thrown))) return false;
      throw thrown;
    }
  }

  return {
    read: async (key) => storedSession(await readItem(key), deps.now(), deps.random),
    async put(key, session, read, { changedBy, gateway }) {
      const version = nextVersion(read.version);
      const end = (session && (await deps.endOf?.())?.(session, seconds())) ?? ownEnd(session, seconds());
      const marks = await nextMarks(read, end, deps.proveMarks);
      const item = sessionItem(key, session, version, seconds(), gateway, end, changedBy, marks);
      const put = { TableName, Item: toAttributes(item), ...condition(read.version) };
      return (await holds({ Put: put })) ? version : undefined;
    },
    async remove(key, read) {
      if (read.marks) await deps.proveMarks(read.marks);
      return holds({ Delete: { TableName, Key: toAttributes({ key }), ...condition(read.version) } });
    },
  };
}

const CHANGED = new Set(["ConditionalCheckFailed", "TransactionConflict"]);

function reasonOf(thrown: unknown): string {
  const { CancellationReasons } = thrown as { CancellationReasons?: { Code?: string }[] };
  return CancellationReasons?.[0]?.Code ?? "";
}
