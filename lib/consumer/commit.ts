import { setTimeout as delay } from "node:timers/promises";
import {
  type DynamoDBClient,
  PutItemCommand,
  type TransactWriteItem,
  TransactWriteItemsCommand,
} from "@aws-sdk/client-dynamodb";
import { toAttributes } from "../dynamo/attributes.ts";
import { type Refusal, refusalOf } from "../dynamo/refusal.ts";
import { AppError, errorText } from "../errors.ts";
import { type ChangedBy, type GatewayState, nextVersion, sessionItem } from "../sessions/item.ts";
import type { Session } from "../sessions/session.ts";
import { INNOCENT_KEY, type LedgerEntry, ledgerItem } from "./ledger-item.ts";

/** One item of a commit, put on condition that it still has the version that was read. */
export type Write =
  | {
      kind: "session";
      key: string;
      /** Undefined: it is removed; where a gateway owns the sessions, its item says so. */
      session: Session | undefined;
      version: number;
      /** When the table drops it, in unix seconds; 0 is never. */
      end?: number;
      gateway?: GatewayState;
      changedBy?: ChangedBy;
    }
  | EntryWrite;

type EntryWrite = { kind: "ledger"; identity: string } & LedgerEntry;

/** What a commit sends: at each try the same, so that it has one effect however often it is sent. */
interface Sending {
  action: "TransactWriteItems" | "PutItem";
  send(): Promise<unknown>;
  /** `done`: an earlier try of this was done, whose answer was lost. */
  whyNot(thrown: unknown): Refusal | { kind: "done" };
}

export interface CommitDeps {
  dynamo: Pick<DynamoDBClient, "send">;
  sessionsTable: string;
  stateTable: string;
  /** How long a ledger entry lives, in seconds: longer than an event can stay in the queue and its DLQ. */
  ledgerTtlSeconds: number;
  now: () => number;
  random: () => number;
  /** A token that was never used before, by which a write that was sent twice is known again. */
  newToken: () => string;
}

export const ATTEMPTS = 6;
export const pauseBefore = (attempt: number, random: () => number) => delay(random() * 25 * 2 ** attempt);

/** `commit` of a consumer's store. */
export function createCommit(deps: CommitDeps): (writes: Write[]) => Promise<{ conflicts: number[] }> {
  const { dynamo, sessionsTable, stateTable, newToken } = deps;
  const seconds = () => Math.floor(deps.now() / 1000);
  const entryItem = (write: EntryWrite) =>
    ledgerItem(write.identity, write, seconds() + deps.ledgerTtlSeconds);

  function actionOf(write: Write): TransactWriteItem {
    if (write.kind === "ledger") {
      return {
        Put: { TableName: stateTable, Item: toAttributes(entryItem(write)), ...asRead(write.version) },
      };
    }
    const { key, session, version, end, gateway, changedBy } = write;
    if (!session && !gateway)
      return { Delete: { TableName: sessionsTable, Key: toAttributes({ key }), ...asRead(version) } };
    const item = sessionItem(key, session, nextVersion(version), seconds(), gateway, end, changedBy);
    return { Put: { TableName: sessionsTable, Item: toAttributes(item), ...asRead(version) } };
  }

  function transaction(writes: Write[]): Sending {
    const TransactItems = writes.map(actionOf);
    let token = newToken();
    return {
      action: "TransactWriteItems",
      send: () => dynamo.send(new TransactWriteItemsCommand({ TransactItems, ClientRequestToken: token })),
      whyNot(thrown) {
        const refusal = refusalOf(thrown);
        // Of a cancelled transaction nothing was written. Of any other it is not known: with the same token it is
        // answered again, not done again.
        if (refusal.kind === "cancelled") token = newToken();
        return refusal;
      },
    };
  }

  /** Half the price of a transaction. It has no token that DynamoDB knows it by, so the item has one. */
  function plainPut(write: EntryWrite): Sending {
    const token = newToken();
    const command = {
      TableName: stateTable,
      Item: toAttributes({ ...entryItem(write), token }),
      ...asRead(write.version),
      ReturnValuesOnConditionCheckFailure: "ALL_OLD" as const,
    };
    return {
      action: "PutItem",
      send: () => dynamo.send(new PutItemCommand(command)),
      // Not only at a second try: the SDK has its own, of which nobody here is told.
      whyNot: (thrown) => (tokenIn(thrown) === token ? { kind: "done" } : refusalOf(thrown)),
    };
  }

  const sendingOf = (writes: Write[]): Sending => {
    const [first, ...others] = writes;
    return first?.kind === "ledger" && others.length === 0 ? plainPut(first) : transaction(writes);
  };

  /** One that changes nothing that anybody reads, and asks both tables. */
  const innocent = (): TransactWriteItem[] => [
    { Put: { TableName: stateTable, Item: toAttributes({ pk: INNOCENT_KEY, ttl: seconds() }) } },
    {
      ConditionCheck: {
        TableName: sessionsTable,
        Key: toAttributes({ key: newToken() }),
        ConditionExpression: "attribute_not_exists(#key)",
        ExpressionAttributeNames: { "#key": "key" },
      },
    },
  ];

  /** Whether a write fails because of what it is, or everybody's does: an innocent one tells. */
  async function failsAlone(): Promise<boolean> {
    try {
      await dynamo.send(new TransactWriteItemsCommand({ TransactItems: innocent() }));
      return true;
    } catch (thrown) {
      // At the same time as another such one it conflicts, which it does only where writes are taken.
      return refusalOf(thrown).kind === "changed";
    }
  }

  return async (writes) => {
    let sending: Sending | undefined;
    for (let attempt = 1; ; attempt += 1) {
      try {
        sending ??= sendingOf(writes);
        await sending.send();
        return { conflicts: [] };
      } catch (thrown) {
        const refusal = sending?.whyNot(thrown) ?? refusalOf(thrown);
        if (refusal.kind === "done") return { conflicts: [] };
        if (refusal.kind === "changed") return { conflicts: refusal.indexes };
        if ((refusal.kind === "unfit" || refusal.kind === "strange") && (await failsAlone())) {
          const code = refusal.kind === "unfit" ? "commit-impossible" : "commit-failed";
          throw new AppError(code, errorText(thrown), { cause: thrown });
        }
        const passes = refusal.kind === "cancelled" || refusal.kind === "unknown";
        if (!passes || attempt === ATTEMPTS)
          throw dependencyFailed(sending?.action ?? "TransactWriteItems", thrown);
        await pauseBefore(attempt, deps.random);
      }
    }
  };
}

const asRead = (version: number) => ({
  ExpressionAttributeNames: { "#version": "version" },
  ...(version <= 0
    ? { ConditionExpression: "attribute_not_exists(#version)" }
    : {
        ConditionExpression: "#version = :read",
        ExpressionAttributeValues: { ":read": { N: String(version) } },
      }),
});

/** Of the item that a put on condition met. */
function tokenIn(thrown: unknown): string | undefined {
  const { name, Item } = (thrown ?? {}) as { name?: string; Item?: { token?: { S?: string } } };
  return name === "ConditionalCheckFailedException" ? Item?.token?.S : undefined;
}

/** DynamoDB's message names the action and the resource that a role lacks a permission for. */
export const dependencyFailed = (action: string, cause: unknown) =>
  new AppError("dependency-failed", `dynamodb:${action} failed: ${errorText(cause)}`, { cause });
