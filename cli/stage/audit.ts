import { randomUUID } from "node:crypto";
import {
  type AttributeValue,
  type DynamoDBClient,
  PutItemCommand,
  QueryCommand,
} from "@aws-sdk/client-dynamodb";
import { AppError, errorText } from "../../lib/errors.ts";
import { shortKeyDigest } from "../../lib/gateway/key-digest.ts";
import {
  AUDIT_PARTITION,
  type AuditedChange,
  type AuditRecord,
  auditItem,
  auditOf,
} from "../../lib/history/audit.ts";
import type { Audit } from "../../local/console/audit.ts";
import { printErrorText } from "../terminal/print.ts";

/** `now`: in ms since 1970. */
export interface AuditOptions {
  /** The ARN of the person who started the console. */
  who: string;
  /** The stage's history table, if it has one. */
  history: AuditTable | undefined;
  now: () => number;
}

interface AuditTable {
  dynamo: Pick<DynamoDBClient, "send">;
  table: string;
  ttlDays: number;
  keyRef(key: string): Promise<string>;
}

/** Writes to the stage's history, if it has one, and to the terminal of the console. */
export function createAudit({ who, history, now }: AuditOptions): Audit {
  async function write(record: AuditRecord, name: string): Promise<void> {
    if (!history) return;
    const ttl = Math.ceil(now() / 1000) + history.ttlDays * 86_400;
    const Item = auditItem(record, name, ttl);
    await history.dynamo.send(new PutItemCommand({ TableName: history.table, Item }));
  }

  const refOf = async (key: string) => (history ? history.keyRef(key) : shortKeyDigest(key));

  return async (doing) => {
    const name = randomUUID();
    const { key, target, ...rest } = { key: undefined, target: "", ...doing };
    const record: AuditRecord = {
      at: new Date(now()).toISOString(),
      who,
      target: key === undefined ? target : await refOf(key).catch(unaudited),
      ...rest,
      from: "console",
      result: "asked",
    };
    await write(record, name).catch(unaudited);
    return async (result) => {
      printErrorText(auditText({ ...record, result }));
      await write({ ...record, result }, name).catch((thrown: unknown) =>
        printErrorText(
          `gatehook: the history says "asked" of this, and not "${result}": ${errorText(thrown)}`,
        ),
      );
    };
  };
}

/** The maximum number of pages of the newest records that are searched. */
const PAGES = 20;

/** The actions on one target, the newest first. */
export async function readAudit(
  { dynamo, table }: Pick<AuditTable, "dynamo" | "table">,
  target: string,
): Promise<AuditRecord[]> {
  const found: AuditRecord[] = [];
  let after: Record<string, AttributeValue> | undefined;
  for (let page = 0; page < PAGES; page += 1) {
    const { Items = [], LastEvaluatedKey } = await dynamo.send(
      new QueryCommand({
        TableName: table,
        KeyConditionExpression: "pk = :audit",
        ExpressionAttributeValues: { ":audit": { S: AUDIT_PARTITION } },
        ScanIndexForward: false,
        ...(after && { ExclusiveStartKey: after }),
      }),
    );
    found.push(...Items.map(auditOf).filter((record) => record.target === target));
    after = LastEvaluatedKey;
    if (!after) break;
  }
  return found;
}

function unaudited(cause: unknown): never {
  throw new AppError(
    "audit-failed",
    `nothing was changed, since it cannot be written to the history who does: ${errorText(cause)}`,
    { cause },
  );
}

function auditText({ at, who, what, target, before, changes, count, result }: AuditRecord): string {
  const facts = [
    before && `was ${before}`,
    count !== undefined && `${count} in all`,
    ...(changes ?? []).map(changeText),
  ].filter(Boolean);
  return `${at} ${who} ${what} ${target}${facts.length > 0 ? ` (${facts.join(", ")})` : ""}: ${result}`;
}

function changeText({ name, before, after }: AuditedChange): string {
  if (before === undefined && after === undefined) return name;
  return `${name} ${JSON.stringify(before) ?? "…"} → ${JSON.stringify(after) ?? "…"}`;
}
