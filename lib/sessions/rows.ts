import {
  ConditionalCheckFailedException,
  type DynamoDBClient,
  PutItemCommand,
  QueryCommand,
  ScanCommand,
} from "@aws-sdk/client-dynamodb";
import { type Attributes, fromAttributes, toAttributes } from "../dynamo/attributes.ts";
import { batchGet } from "../dynamo/batch-get.ts";
import { condition } from "../dynamo/condition.ts";
import { type ChangedBy, type SessionRow, storedSession } from "./item.ts";
import { indexQuery, isFound, type Place, placeOf, type Search } from "./search.ts";

/** Many rows of the sessions table, for lists, imports and exports. */
export interface SessionRows {
  /** The current rows that exist. */
  readMany(keys: string[]): Promise<Map<string, SessionRow>>;
  /** Puts an item made by `sessionItem`; false if the row no longer has the version that was read. */
  put(item: Record<string, unknown>, read: number): Promise<boolean>;
  /**
   * Reads up to `limit` rows after a position; rows of one organisation are ordered by `expires`, the earliest first.
   */
  page(search: Search, limit: number, after?: Place): Promise<RowPage>;
}

/** A row with its position in the index, which may not have the row's latest values yet. */
export interface FoundRow extends SessionRow {
  place: Place;
}

/** The result of one DynamoDB call. */
export interface RowPage {
  /** The rows of this page that match the search. */
  rows: FoundRow[];
  /** How many rows were read. */
  looked: number;
  /** The end of the page; undefined if it is the last one. */
  next: Place | undefined;
  /** The consumed read units. */
  units: number;
}

/** `now` in ms, `random` from 0 to 1. Throws errors of the SDK unchanged. */
export function createSessionRows(deps: {
  dynamo: Pick<DynamoDBClient, "send">;
  table: string;
  now: () => number;
  random: () => number;
}): SessionRows {
  const { dynamo, table: TableName, now, random } = deps;
  const toRow = (item: Attributes) => rowOf(fromAttributes(item), now(), random);

  /** The current items of keys from an index, without those that were deleted since. */
  async function wholeItems(found: Attributes[]): Promise<{ items: Map<string, Attributes>; units: number }> {
    let units = 0;
    const keys = found.map(({ key }) => ({ key: key?.S ?? "" }));
    const items = await batchGet(dynamo, TableName, keys, { random, onUnits: (more) => (units += more) });
    return { items: new Map(items.map((item) => [item.key?.S ?? "", item])), units };
  }

  return {
    async readMany(keys) {
      const names = keys.map((key) => ({ key }));
      const items = await batchGet(dynamo, TableName, names, { random, consistent: true });
      return new Map(items.map(toRow).map((row) => [row.key, row]));
    },
    async put(item, read) {
      try {
        await dynamo.send(new PutItemCommand({ TableName, Item: toAttributes(item), ...condition(read) }));
        return true;
      } catch (thrown) {
        if (thrown instanceof ConditionalCheckFailedException) return false;
        throw thrown;
      }
    },
    async page(search, limit, after) {
      const query = indexQuery(search);
      const input = {
        TableName,
        Limit: limit,
        ReturnConsumedCapacity: "TOTAL" as const,
        ...(after !== undefined && { ExclusiveStartKey: toAttributes(after) }),
      };
      const {
        Items = [],
        LastEvaluatedKey,
        ConsumedCapacity,
      } = await (query
        ? dynamo.send(new QueryCommand({ ...input, ...query }))
        : dynamo.send(new ScanCommand(input)));
      const whole = query && (await wholeItems(Items));
      const rows = Items.flatMap((found) => {
        const item = whole ? whole.items.get(found.key?.S ?? "") : found;
        return item ? [{ ...toRow(item), place: placeOf(search, fromAttributes(found) as Place) }] : [];
      });
      return {
        rows: rows.filter((row) => isFound(row, search)),
        looked: Items.length,
        next: LastEvaluatedKey && (fromAttributes(LastEvaluatedKey) as Place),
        units: (ConsumedCapacity?.CapacityUnits ?? 0) + (whole?.units ?? 0),
      };
    },
  };
}

function rowOf(item: Record<string, unknown>, now: number, random: () => number): SessionRow {
  return {
    key: item.key as string,
    stored: storedSession(item, now, random),
    updatedAt: numberOr0(item.updated_at),
    ttl: numberOr0(item.ttl),
    changedBy: item.changed_by as ChangedBy | undefined,
    orgId: textOrNone(item.org_id),
    alias: textOrNone(item.alias),
    expires: numberOr0(item.expires),
  };
}

const numberOr0 = (value: unknown) => (typeof value === "number" ? value : 0);
const textOrNone = (value: unknown) => (typeof value === "string" ? value : "");
