import { setTimeout as delay } from "node:timers/promises";
import {
  BatchGetCommand,
  type BatchGetCommandInput,
  type DynamoDBDocumentClient,
  TransactWriteCommand,
} from "@aws-sdk/lib-dynamodb";
import { AppError, errorText } from "../errors.ts";
import { LIVE_RELEASE_KEY } from "../releases/store.ts";
import { nextVersion, type StoredSession, sessionItem, storedSession } from "../sessions/item.ts";
import type { Session } from "../sessions/session.ts";
import { refusalOf } from "./refusal.ts";

/** Which handlers are done for an event, and how often one failed; `version` 0: there is no such item yet. */
export interface LedgerEntry {
  version: number;
  done: string[];
  attempts?: number;
}

export interface BatchRead {
  liveVersion: string | undefined;
  ledger: Map<string, LedgerEntry>;
  sessions: Map<string, StoredSession>;
}

/** One item of a commit, put on condition that it still has the version that was read. */
export type Write =
  | { kind: "session"; key: string; session: Session; version: number }
  | { kind: "ledger"; eventId: string; done: string[]; attempts: number; version: number };

export interface ConsumerStore {
  /** The live version, the ledger of these events and these sessions: one consistent read. Throws `dependency-failed`. */
  read(eventIds: string[], sessionKeys: string[]): Promise<BatchRead>;
  readSession(key: string): Promise<StoredSession>;
  /**
   * Makes all writes true, or none; then answers the indexes of those whose item had changed. Throws
   * `commit-impossible` when the table will never take them, and `dependency-failed` when it is not known whether
   * they became true (the ledger tells at the next delivery).
   */
  commit(writes: Write[]): Promise<{ conflicts: number[] }>;
}

/** DynamoDB's own limits of one call. */
const READ_KEYS = 100;
export const COMMIT_ACTIONS = 100;
const ATTEMPTS = 6;

export function createConsumerStore(deps: {
  dynamo: DynamoDBDocumentClient;
  sessionsTable: string;
  stateTable: string;
  /** How long a ledger entry lives, in seconds: longer than an event can stay in the queue and its DLQ. */
  ledgerTtlSeconds: number;
  now: () => number;
  random: () => number;
  /** A token that was never used before, for DynamoDB to know a transaction again. */
  newToken: () => string;
}): ConsumerStore {
  const { dynamo, sessionsTable, stateTable } = deps;

  const pause = (attempt: number) => delay(deps.random() * 25 * 2 ** attempt);

  async function readAll(keys: TableKey[]): Promise<Map<string, Item>> {
    const found = new Map<string, Item>();
    for (let at = 0; at < keys.length; at += READ_KEYS) {
      await readSome(keys.slice(at, at + READ_KEYS), found);
    }
    return found;
  }

  async function readSome(keys: TableKey[], found: Map<string, Item>): Promise<void> {
    let open: NonNullable<BatchGetCommandInput["RequestItems"]> = {};
    for (const { table, key } of keys) {
      open[table] ??= { ConsistentRead: true, Keys: [] };
      open[table].Keys?.push(key);
    }
    for (let attempt = 0; Object.keys(open).length > 0; attempt += 1) {
      if (attempt === ATTEMPTS)
        throw dependencyFailed("BatchGetItem", "keys left unprocessed again and again: reads are throttled");
      if (attempt > 0) await pause(attempt);
      const answer = await dynamo
        .send(new BatchGetCommand({ RequestItems: open }))
        .catch((thrown: unknown) => {
          throw dependencyFailed("BatchGetItem", thrown);
        });
      for (const [table, items] of Object.entries(answer.Responses ?? {})) {
        for (const item of items) found.set(`${table} ${item.pk ?? item.key}`, item);
      }
      open = answer.UnprocessedKeys ?? {};
    }
  }

  const itemOf = (write: Write, now: number) =>
    write.kind === "session"
      ? {
          TableName: sessionsTable,
          Item: sessionItem(write.key, write.session, nextVersion(write.version), now),
        }
      : {
          TableName: stateTable,
          Item: {
            pk: ledgerKey(write.eventId),
            done: write.done,
            ...(write.attempts > 0 && { attempts: write.attempts }),
            version: write.version + 1,
            ttl: now + deps.ledgerTtlSeconds,
          },
        };

  const asPut = (write: Write, now: number) => ({
    Put: {
      ...itemOf(write, now),
      ExpressionAttributeNames: { "#version": "version" },
      ...(write.version <= 0
        ? { ConditionExpression: "attribute_not_exists(#version)" }
        : {
            ConditionExpression: "#version = :read",
            ExpressionAttributeValues: { ":read": write.version },
          }),
    },
  });

  const sessionsIn = (found: Map<string, Item>, keys: string[]): Map<string, StoredSession> =>
    new Map(
      keys.map((key) => [key, storedSession(found.get(`${sessionsTable} ${key}`), deps.now(), deps.random)]),
    );

  async function readSessions(keys: string[]): Promise<Map<string, StoredSession>> {
    const found = await readAll(keys.map((key) => ({ table: sessionsTable, key: { key } })));
    return sessionsIn(found, keys);
  }

  return {
    async read(eventIds, sessionKeys) {
      const stateKeys = [LIVE_RELEASE_KEY, ...eventIds.map(ledgerKey)];
      const found = await readAll([
        ...stateKeys.map((pk) => ({ table: stateTable, key: { pk } })),
        ...sessionKeys.map((key) => ({ table: sessionsTable, key: { key } })),
      ]);
      const state = (pk: string) => found.get(`${stateTable} ${pk}`);
      const entry = (id: string): LedgerEntry => {
        const item = state(ledgerKey(id));
        return {
          version: (item?.version as number) ?? 0,
          done: (item?.done as string[]) ?? [],
          attempts: (item?.attempts as number) ?? 0,
        };
      };
      return {
        liveVersion: state(LIVE_RELEASE_KEY)?.version as string | undefined,
        ledger: new Map(eventIds.map((id) => [id, entry(id)])),
        sessions: sessionsIn(found, sessionKeys),
      };
    },
    async readSession(key) {
      return (await readSessions([key])).get(key) as StoredSession;
    },
    async commit(writes) {
      // Made once: a transaction that is sent again must be the same to the byte, or its token does not count.
      const now = Math.floor(deps.now() / 1000);
      const TransactItems = writes.map((write) => asPut(write, now));
      let token = deps.newToken();
      for (let attempt = 1; ; attempt += 1) {
        try {
          await dynamo.send(new TransactWriteCommand({ TransactItems, ClientRequestToken: token }));
          return { conflicts: [] };
        } catch (thrown) {
          const refusal = refusalOf(thrown);
          if (refusal.kind === "changed") return { conflicts: refusal.indexes };
          if (refusal.kind === "unfit")
            throw new AppError("commit-impossible", refusal.message, { cause: thrown });
          if (refusal.kind === "broken" || attempt === ATTEMPTS)
            throw dependencyFailed("TransactWriteItems", thrown);
          // Of a cancelled transaction nothing was written. Of any other it is not known: with the same token it is
          // answered again, not done again.
          if (refusal.kind === "cancelled") token = deps.newToken();
          await pause(attempt);
        }
      }
    },
  };
}

type Item = Record<string, unknown>;
interface TableKey {
  table: string;
  key: Item;
}

const ledgerKey = (eventId: string) => `event#${eventId}`;

/** DynamoDB's message names the action and the resource that a role lacks a permission for. */
const dependencyFailed = (action: string, cause: unknown) =>
  new AppError("dependency-failed", `dynamodb:${action} failed: ${errorText(cause)}`, { cause });
