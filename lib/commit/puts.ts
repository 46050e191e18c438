import { isDeepStrictEqual } from "node:util";
import {
  BatchExecuteStatementCommand,
  type BatchStatementRequest,
  type BatchStatementResponse,
  type DynamoDBClient,
  PutItemCommand,
} from "@aws-sdk/client-dynamodb";
import { type Attributes, fromAttributes, toAttributes } from "../dynamo/attributes.ts";
import { condition } from "../dynamo/condition.ts";

/** An item that replaces the version that was read. */
export interface Put {
  table: string;
  /** All attributes, the key included. */
  item: Record<string, unknown>;
  key: "key" | "pk";
  /** The version that was read; 0 or less: the item did not exist. */
  read: number;
  /** Attributes that are removed if the new item does not have them. */
  optional: readonly string[];
}

/** DynamoDB's own limit of one call. */
const STATEMENTS = 25;

/** Error codes of a statement which mean that another write was first, or is in progress. */
const CHANGED = new Set(["ConditionalCheckFailed", "DuplicateItem", "TransactionConflict"]);

const toItem = ({ item }: Put) => toAttributes(item);

/** A single put. Throws DynamoDB's error. */
export async function putItem(dynamo: Pick<DynamoDBClient, "send">, put: Put): Promise<void> {
  await dynamo.send(
    new PutItemCommand({
      TableName: put.table,
      Item: toItem(put),
      ...condition(put.read),
      ReturnValuesOnConditionCheckFailure: "ALL_OLD",
    }),
  );
}

/**
 * Whether the stored item is the one of this put: an earlier attempt took effect, but its response was lost. The SDK
 * retries too.
 */
export function isItself(put: Put, met: Attributes): boolean {
  // Compared after decoding, since DynamoDB may return a number in another notation.
  return isDeepStrictEqual(fromAttributes(met), fromAttributes(toItem(put)));
}

/** The result of one of several puts. `met`: the stored item. `unknown`: a single put has to find out. */
export type PutEnd =
  | { is: "written" }
  | { is: "condition-failed"; met: Attributes | undefined }
  | { is: "unknown" };

/** Independent puts of different items, in as few calls as possible. The results are in the order of the puts. */
export async function putTogether(dynamo: Pick<DynamoDBClient, "send">, puts: Put[]): Promise<PutEnd[]> {
  const parts: Put[][] = [];
  for (let at = 0; at < puts.length; at += STATEMENTS) parts.push(puts.slice(at, at + STATEMENTS));
  const ends = await Promise.all(parts.map((part) => execute(dynamo, part)));
  return ends.flat();
}

async function execute(dynamo: Pick<DynamoDBClient, "send">, puts: Put[]): Promise<PutEnd[]> {
  try {
    const { Responses = [] } = await dynamo.send(
      new BatchExecuteStatementCommand({ Statements: puts.map(statementOf) }),
    );
    return puts.map((_, index) => endOf(Responses[index]));
  } catch {
    return puts.map(() => UNKNOWN);
  }
}

const UNKNOWN: PutEnd = { is: "unknown" };

function endOf(response: BatchStatementResponse | undefined): PutEnd {
  if (!response) return UNKNOWN;
  if (!response.Error) return { is: "written" };
  const { Code = "", Item: met } = response.Error;
  return CHANGED.has(Code) ? { is: "condition-failed", met } : UNKNOWN;
}

/** PartiQL has no conditional put: a new item is inserted, and an existing item is updated attribute by attribute. */
function statementOf(put: Put): BatchStatementRequest {
  const { table, key, read, optional } = put;
  const item = toItem(put);
  const names = Object.keys(item).filter((name) => name !== key);
  const attributeOf = (name: string) => item[name] ?? { NULL: true };
  if (read <= 0) {
    const members = [key, ...names];
    return {
      Statement: `INSERT INTO "${table}" VALUE {${members.map((name) => `'${name}': ?`).join(", ")}}`,
      Parameters: members.map(attributeOf),
      ReturnValuesOnConditionCheckFailure: "ALL_OLD",
    };
  }
  const sets = names.map((name) => `"${name}" = ?`).join(", ");
  const gone = optional.filter((name) => !names.includes(name)).map((name) => `"${name}"`);
  const removes = gone.length > 0 ? ` REMOVE ${gone.join(", ")}` : "";
  return {
    Statement: `UPDATE "${table}" SET ${sets}${removes} WHERE "${key}" = ? AND "version" = ?`,
    Parameters: [...names.map(attributeOf), attributeOf(key), { N: String(read) }],
    ReturnValuesOnConditionCheckFailure: "ALL_OLD",
  };
}
