import { setTimeout as delay } from "node:timers/promises";
import {
  BatchGetCommand,
  type BatchGetCommandInput,
  type DynamoDBDocumentClient,
  TransactWriteCommand,
} from "@aws-sdk/lib-dynamodb";
import { LIVE_RELEASE_KEY } from "../releases/store.ts";
import { type StoredSession, sessionItem, storedSession } from "../sessions/item.ts";
import type { Session } from "../sessions/session.ts";

/** Which handlers are done for an event; `version` 0 means that there is no such item yet. */
export interface LedgerEntry {
  version: number;
  done: string[];
}

export interface BatchRead {
  liveVersion: string | undefined;
  ledger: Map<string, LedgerEntry>;
  sessions: Map<string, StoredSession>;
}

/** One item of a commit, put on condition that it still has the version that was read. */
export type Write =
  | { kind: "session"; key: string; session: Session; version: number }
  | { kind: "ledger"; eventId: string; done: string[]; version: number };

export interface ConsumerStore {
  /** The live version, the ledger of these events and these sessions: one consistent read. */
  read(eventIds: string[], sessionKeys: string[]): Promise<BatchRead>;
  readSession(key: string): Promise<StoredSession>;
  /**
   * Makes all writes true, or none; then answers the indexes of those whose item had changed. Throws when it is
   * not known whether they became true (the ledger tells at the next delivery).
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
        throw new Error("DynamoDB left keys unprocessed, again and again: it is throttling reads");
      if (attempt > 0) await pause(attempt);
      const answer = await dynamo.send(new BatchGetCommand({ RequestItems: open }));
      for (const [table, items] of Object.entries(answer.Responses ?? {})) {
        for (const item of items) found.set(`${table} ${item.pk ?? item.key}`, item);
      }
      open = answer.UnprocessedKeys ?? {};
    }
  }

  const asPut = (write: Write) => {
    const now = Math.floor(deps.now() / 1000);
    const put =
      write.kind === "session"
        ? { TableName: sessionsTable, Item: sessionItem(write.key, write.session, write.version + 1, now) }
        : {
            TableName: stateTable,
            Item: {
              pk: ledgerKey(write.eventId),
              done: write.done,
              version: write.version + 1,
              ttl: now + deps.ledgerTtlSeconds,
            },
          };
    const names = { "#version": "version" };
    return write.version === 0
      ? {
          Put: {
            ...put,
            ConditionExpression: "attribute_not_exists(#version)",
            ExpressionAttributeNames: names,
          },
        }
      : {
          Put: {
            ...put,
            ConditionExpression: "#version = :read",
            ExpressionAttributeNames: names,
            ExpressionAttributeValues: { ":read": write.version },
          },
        };
  };

  async function readSessions(keys: string[]): Promise<Map<string, StoredSession>> {
    const found = await readAll(keys.map((key) => ({ table: sessionsTable, key: { key } })));
    return new Map(keys.map((key) => [key, storedSession(found.get(`${sessionsTable} ${key}`), deps.now())]));
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
        return { version: (item?.version as number) ?? 0, done: (item?.done as string[]) ?? [] };
      };
      return {
        liveVersion: state(LIVE_RELEASE_KEY)?.version as string | undefined,
        ledger: new Map(eventIds.map((id) => [id, entry(id)])),
        sessions: new Map(
          sessionKeys.map((key) => [key, storedSession(found.get(`${sessionsTable} ${key}`), deps.now())]),
        ),
      };
    },
    async readSession(key) {
      return (await readSessions([key])).get(key) as StoredSession;
    },
    async commit(writes) {
      for (let attempt = 1; ; attempt += 1) {
        try {
          await dynamo.send(new TransactWriteCommand({ TransactItems: writes.map(asPut) }));
          return { conflicts: [] };
        } catch (thrown) {
          const reasons = cancellationReasons(thrown);
          const conflicts = reasons.flatMap((code, index) =>
            code === "ConditionalCheckFailed" ? [index] : [],
          );
          if (conflicts.length > 0) return { conflicts };
          // Cancelled for the moment only (another transaction on the same item, throttling): nothing was written.
          const passing = reasons.some((code) => PASSING.has(code));
          if (!passing || attempt === ATTEMPTS) throw thrown;
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
const PASSING = new Set(["TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"]);

/** https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html: one per item, in order. */
function cancellationReasons(thrown: unknown): string[] {
  const { name, CancellationReasons } = thrown as {
    name?: string;
    CancellationReasons?: { Code?: string }[];
  };
  return name === "TransactionCanceledException"
    ? (CancellationReasons ?? []).map(({ Code }) => Code ?? "None")
    : [];
}
