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

/** An item; one that is older than the gateway setting has no gateway data. */
export interface Copy extends Omit<Row, "gateway"> {
  gateway: GatewayState | undefined;
}

/** The sessions table, if a gateway owns the sessions. Each write is on condition of the version that was read. */
export interface Rows {
  read(key: string): Promise<Row | undefined>;
  copy(key: string): Promise<Copy | undefined>;
  /**
   * Up to `limit` items after this key, in the table's order, without expired ones; `next` unless it is the last page.
   */
  page(after: string | undefined, limit: number): Promise<{ copies: Copy[]; next: string | undefined }>;
  /** False if the row has changed since it was read. */
  write(row: Row, session: Session | undefined, gateway: GatewayState): Promise<boolean>;
  remove(row: Row): Promise<boolean>;
  /**
   * Records in the row that the reset of the quota was sent; returns the new version, undefined if others were first.
   */
  markReset(row: Row): Promise<number | undefined>;
  /**
   * Replaces the row that was read by the gateway's session; returns the new version, undefined if others were first.
   */
  keep(
    key: string,
    read: StoredSession,
    session: Session,
    gateway: GatewayState,
  ): Promise<number | undefined>;
  /** Makes the stream deliver the row again; does nothing without a row. */
  touch(key: string): Promise<void>;
  /** Makes gateway-sync read this key from the gateway; does nothing without a row. */
  doubt(key: string): Promise<void>;
}

/** `now` in ms. `proveMarks` is called before a write or a deletion removes the marks of an item. */
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

  /** True if the condition was met. */
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
          // Expired items stay in the table for a while.
          FilterExpression: "attribute_not_exists(#ttl) OR #ttl > :now",
          ExpressionAttributeNames: Object.fromEntries([...names, "ttl"].map((name) => [`#${name}`, name])),
          ExpressionAttributeValues: toAttributes({ ":now": seconds() }),
          ...(after !== undefined && { ExclusiveStartKey: toAttributes({ key: after }) }),
        }),
      );
      return { copies: Items.flatMap((item) => copyOf(item) ?? []), next: LastEvaluatedKey?.key?.S };
    },
    async write(row, session, gateway) {
      // The result of our change at the gateway keeps its author; any other change is the gateway's own.
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
      // With a new version, so that a write based on an earlier read does not remove the doubt.
      const names = { "#gateway": "gateway", "#version": "version" };
      const known = await update(key, {
        UpdateExpression: "SET #gateway.#look = :now ADD #version :one",
        ConditionExpression: "attribute_exists(#gateway)",
        ExpressionAttributeNames: { ...names, "#look": "look" },
        ExpressionAttributeValues: toAttributes({ ":now": deps.now(), ":one": 1 }),
      });
      if (known) return;
      // An item that is older than the gateway setting; without an item, none is created.
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

/** Undefined for an item without gateway data. */
export const rowOf = ({ gateway, ...copy }: Copy): Row | undefined => gateway && { ...copy, gateway };
