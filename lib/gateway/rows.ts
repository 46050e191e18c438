import { isDeepStrictEqual } from "node:util";
import {
  ConditionalCheckFailedException,
  DeleteItemCommand,
  type DynamoDBClient,
  GetItemCommand,
  PutItemCommand,
  ScanCommand,
  UpdateItemCommand,
  type UpdateItemCommandInput,
} from "@aws-sdk/client-dynamodb";
import { type Attributes, fromAttributes, toAttributes } from "../dynamo/attributes.ts";
import { condition } from "../dynamo/condition.ts";
import {
  type ChangedBy,
  changedByWriter,
  type GatewayState,
  type Marks,
  nextMarks,
  nextVersion,
  ownEnd,
  type ProveMarks,
  type StoredSession,
  sessionItem,
} from "../sessions/item.ts";
import type { Session } from "../sessions/session.ts";
import type { Row } from "./row.ts";

/** An item as it stands: one from before a gateway was set says nothing of it. */
export interface Copy extends Omit<Row, "gateway"> {
  gateway: GatewayState | undefined;
}

/** The sessions table, where a gateway owns the sessions. Each write is put on condition of the version read. */
export interface Rows {
  read(key: string): Promise<Row | undefined>;
  copy(key: string): Promise<Copy | undefined>;
  /** Up to `limit` items after this key, in the table's own order, but for those that have ended; `next` unless it is through. */
  page(after: string | undefined, limit: number): Promise<{ copies: Copy[]; next: string | undefined }>;
  /** False when the row is no longer as it was read. */
  write(row: Row, session: Session | undefined, gateway: GatewayState): Promise<boolean>;
  remove(row: Row): Promise<boolean>;
  /** Notes in the row that the quota's reset was asked for; its new version, undefined when others were first. */
  markReset(row: Row): Promise<number | undefined>;
  /** Puts what the gateway has in place of what was read; the version it has then, undefined when others were first. */
  keep(
    key: string,
    read: StoredSession,
    session: Session,
    gateway: GatewayState,
  ): Promise<number | undefined>;
  /** Makes the stream deliver the row once more; does nothing without a row. */
  touch(key: string): Promise<void>;
  /** Makes gateway-sync ask the gateway for this key; does nothing without a row. */
  doubt(key: string): Promise<void>;
}

/** `now` in ms. `proveMarks` is called before a write or a removal loses the marks of an item. */
export function createRows(deps: {
  dynamo: Pick<DynamoDBClient, "send">;
  table: string;
  proveMarks: ProveMarks;
  now: () => number;
}): Rows {
  const { dynamo, table: TableName, proveMarks } = deps;
  const keyed = (key: string) => ({ TableName, Key: toAttributes({ key }) });
  const seconds = () => Math.floor(deps.now() / 1000);
  const asRead = ({ version }: Pick<Row, "version">) => condition(version);

  /** True when the condition held. */
  async function holds(write: Promise<unknown>): Promise<boolean> {
    try {
      await write;
      return true;
    } catch (thrown) {
      if (thrown instanceof ConditionalCheckFailedException) return false;
      throw thrown;
    }
  }

  const update = (key: string, change: Omit<UpdateItemCommandInput, "TableName" | "Key">) =>
    holds(dynamo.send(new UpdateItemCommand({ ...keyed(key), ...change })));

  async function copy(key: string): Promise<Copy | undefined> {
    const { Item } = await dynamo.send(new GetItemCommand({ ...keyed(key), ConsistentRead: true }));
    return Item && copyOf(Item);
  }

  return {
    async read(key) {
      const item = await copy(key);
      return item && rowOf(item);
    },
    copy,
    async page(after, limit) {
      const names = ["key", "session", "version", "gateway", "marks"];
      const { Items = [], LastEvaluatedKey } = await dynamo.send(
        new ScanCommand({
          TableName,
          Limit: limit,
          ProjectionExpression: names.map((name) => `#${name}`).join(),
          // What has ended stays in the table for a while.
          FilterExpression: "attribute_not_exists(#ttl) OR #ttl > :now",
          ExpressionAttributeNames: Object.fromEntries([...names, "ttl"].map((name) => [`#${name}`, name])),
          ExpressionAttributeValues: toAttributes({ ":now": seconds() }),
          ...(after !== undefined && { ExclusiveStartKey: toAttributes({ key: after }) }),
        }),
      );
      return { copies: Items.flatMap((item) => copyOf(item) ?? []), next: LastEvaluatedKey?.key?.S };
    },
    async write(row, session, gateway) {
      // What a change became at the gateway keeps its author; any other change is the gateway's own.
      const isTheirs = !row.gateway.change && !isDeepStrictEqual(session, row.session);
      const changedBy = isTheirs ? BY_GATEWAY : row.changedBy;
      const now = seconds();
      const end = ownEnd(session, now);
      const marks = await nextMarks(row, end, proveMarks);
      const version = nextVersion(row.version);
      const Item = toAttributes(sessionItem(row.key, session, version, now, gateway, end, changedBy, marks));
      return holds(dynamo.send(new PutItemCommand({ TableName, Item, ...asRead(row) })));
    },
    async keep(key, read, session, gateway) {
      const version = nextVersion(read.version);
      const now = seconds();
      const end = ownEnd(session, now);
      const marks = await nextMarks(read, end, proveMarks);
      const Item = toAttributes(sessionItem(key, session, version, now, gateway, end, BY_GATEWAY, marks));
      return (await holds(dynamo.send(new PutItemCommand({ TableName, Item, ...asRead(read) }))))
        ? version
        : undefined;
    },
    async markReset(row) {
      const version = nextVersion(row.version);
      const marked = await update(row.key, {
        UpdateExpression: "SET #gateway.#change.#reset = :asked, #version = :next",
        ConditionExpression: "#version = :read",
        ExpressionAttributeNames: {
          "#gateway": "gateway",
          "#change": "change",
          "#reset": "reset",
          "#version": "version",
        },
        ExpressionAttributeValues: toAttributes({
          ":asked": "asked",
          ":next": version,
          ":read": row.version,
        }),
      });
      return marked ? version : undefined;
    },
    async remove(row) {
      if (row.marks) await proveMarks(row.marks);
      return holds(dynamo.send(new DeleteItemCommand({ ...keyed(row.key), ...asRead(row) })));
    },
    async touch(key) {
      await update(key, {
        UpdateExpression: "SET #again = :now",
        ConditionExpression: "attribute_exists(#gateway)",
        ExpressionAttributeNames: { "#again": "again", "#gateway": "gateway" },
        ExpressionAttributeValues: toAttributes({ ":now": deps.now() }),
      });
    },
    async doubt(key) {
      // With a new version: a write of what was read before must not take the doubt away.
      const names = { "#gateway": "gateway", "#version": "version" };
      const known = await update(key, {
        UpdateExpression: "SET #gateway.#look = :now ADD #version :one",
        ConditionExpression: "attribute_exists(#gateway)",
        ExpressionAttributeNames: { ...names, "#look": "look" },
        ExpressionAttributeValues: toAttributes({ ":now": deps.now(), ":one": 1 }),
      });
      if (known) return;
      // An item from before a gateway was set; without an item, none is made.
      await update(key, {
        UpdateExpression: "SET #gateway = :state ADD #version :one",
        ConditionExpression: "attribute_exists(#version) AND attribute_not_exists(#gateway)",
        ExpressionAttributeNames: names,
        ExpressionAttributeValues: toAttributes({ ":state": { look: deps.now() }, ":one": 1 }),
      });
    },
  };
}

const BY_GATEWAY = changedByWriter("gateway");

/** Undefined for an item that gatehook did not write. */
export function copyOf(item: Attributes): Copy | undefined {
  const { key, session, version, gateway, changed_by, marks } = fromAttributes(item);
  if (typeof key !== "string" || typeof version !== "number") return undefined;
  return {
    key,
    session: session as Session | undefined,
    version,
    gateway: gateway as GatewayState | undefined,
    ...(changed_by !== undefined && { changedBy: changed_by as ChangedBy }),
    ...(marks !== undefined && { marks: marks as Marks }),
  };
}

/** Undefined for an item that says nothing of a gateway. */
export const rowOf = ({ gateway, ...copy }: Copy): Row | undefined => gateway && { ...copy, gateway };
