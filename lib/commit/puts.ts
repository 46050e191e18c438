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

/** An item that takes the place of the version that was read. */
export interface Put {
  table: string;
  /** All attributes, the key included. */
  item: Record<string, unknown>;
  key: "key" | "pk";
  /** The version that was read; 0 or less: the item did not exist. */
  read: number;
  /** Attributes that the item may have had and that are removed unless the new one has them. */
  optional: readonly string[];
}

/** DynamoDB's own limit of one call. */
const STATEMENTS = 25;

/** What a statement's error code says for certain: another write was first, or is under way. */
const CHANGED = new Set(["ConditionalCheckFailed", "DuplicateItem", "TransactionConflict"]);

const toItem = ({ item }: Put) => toAttributes(item);

/** A put by itself. Throws what DynamoDB answers. */
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

/** True when a put met itself: an earlier try took effect, but its answer was lost. The SDK retries too. */
export function isItself(put: Put, met: Attributes): boolean {
  // Compared as they are read: DynamoDB returns a number in another form than it was sent.
  return isDeepStrictEqual(fromAttributes(met), fromAttributes(toItem(put)));
}

/** What became of one put of several. `met`: the item that it met. `unknown`: a put by itself has to find out. */
export type PutEnd =
  | { is: "written" }
  | { is: "condition-failed"; met: Attributes | undefined }
  | { is: "unknown" };

/** Puts of different items, each by itself, in as few calls as DynamoDB takes. The ends stand in the order of the puts. */
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

/** PartiQL has no statement for a conditional put: a new item is inserted, and of any other each attribute is set. */
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
