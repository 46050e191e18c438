import { setTimeout as delay } from "node:timers/promises";
import {
  BatchGetItemCommand,
  type BatchGetItemCommandInput,
  type DynamoDBClient,
  PutItemCommand,
  type TransactWriteItem,
  TransactWriteItemsCommand,
} from "@aws-sdk/client-dynamodb";
import { fromAttributes, toAttributes } from "../dynamo/attributes.ts";
import { refusalOf } from "../dynamo/refusal.ts";
import { AppError, errorText } from "../errors.ts";
import type { EventKey } from "../events/identity.ts";
import { LIVE_RELEASE_KEY } from "../releases/release.ts";
import {
  type ChangedBy,
  type GatewayState,
  nextVersion,
  type Reader,
  type StoredSession,
  sessionItem,
  storedSession,
} from "../sessions/item.ts";
import type { Session } from "../sessions/session.ts";
import {
  entryOf,
  INNOCENT_KEY,
  type LedgerEntry,
  ledgerItem,
  ledgerKey,
  oldLedgerKey,
  SCOPED_KEY,
} from "./ledger-item.ts";

export interface BatchRead {
  liveVersion: string | undefined;
  /** By the identity of the event. */
  ledger: Map<string, LedgerEntry>;
  sessions: Map<string, StoredSession>;
}

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
  | ({ kind: "ledger"; identity: string } & LedgerEntry);

export interface ConsumerStore {
  /** The live version, the ledger of these events and these sessions: one consistent read. Throws `dependency-failed`. */
  read(events: EventKey[], sessionKeys: string[]): Promise<BatchRead>;
  readSession(key: string, reader?: Reader): Promise<StoredSession>;
  /**
   * Makes all writes true, or none; then answers the indexes of those whose item others had changed or were at.
   * Throws `commit-impossible` when the table will never take them, `commit-failed` when they failed in a way that
   * others' writes did not, and `dependency-failed` when it is not known whether they became true (the ledger tells
   * at the next delivery).
   */
  commit(writes: Write[]): Promise<{ conflicts: number[] }>;
}

/** DynamoDB's own limits of one call. */
const READ_KEYS = 100;
export const COMMIT_ACTIONS = 100;
const ATTEMPTS = 6;

export function createConsumerStore(deps: {
  dynamo: Pick<DynamoDBClient, "send">;
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
  const seconds = () => Math.floor(deps.now() / 1000);

  const pause = (attempt: number) => delay(deps.random() * 25 * 2 ** attempt);

  async function readAll(keys: TableKey[]): Promise<Map<string, Item>> {
    const found = new Map<string, Item>();
    for (let at = 0; at < keys.length; at += READ_KEYS) {
      await readSome(keys.slice(at, at + READ_KEYS), found);
    }
    return found;
  }

  async function readSome(keys: TableKey[], found: Map<string, Item>): Promise<void> {
    let open: NonNullable<BatchGetItemCommandInput["RequestItems"]> = {};
    for (const { table, key } of keys) {
      open[table] ??= { ConsistentRead: true, Keys: [] };
      open[table].Keys?.push(toAttributes(key));
    }
    for (let attempt = 0; Object.keys(open).length > 0; attempt += 1) {
      if (attempt === ATTEMPTS)
        throw dependencyFailed("BatchGetItem", "keys left unprocessed again and again: reads are throttled");
      if (attempt > 0) await pause(attempt);
      const answer = await dynamo
        .send(new BatchGetItemCommand({ RequestItems: open }))
        .catch((thrown: unknown) => {
          throw readFailed(thrown);
        });
      for (const [table, items] of Object.entries(answer.Responses ?? {})) {
        for (const item of items) found.set(`${table} ${(item.pk ?? item.key)?.S}`, fromAttributes(item));
      }
      open = answer.UnprocessedKeys ?? {};
    }
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

  function actionOf(write: Write, now: number): TransactWriteItem {
    if (write.kind === "ledger") {
      const Item = toAttributes(ledgerItem(write.identity, write, now + deps.ledgerTtlSeconds));
      return { Put: { TableName: stateTable, Item, ...asRead(write.version) } };
    }
    const { key, session, version, end, gateway, changedBy } = write;
    if (!session && !gateway)
      return { Delete: { TableName: sessionsTable, Key: toAttributes({ key }), ...asRead(version) } };
    const Item = toAttributes(sessionItem(key, session, nextVersion(version), now, gateway, end, changedBy));
    return { Put: { TableName: sessionsTable, Item, ...asRead(version) } };
  }

  const sessionsIn = (found: Map<string, Item>, keys: string[]): Map<string, StoredSession> =>
    new Map(
      keys.map((key) => [key, storedSession(found.get(`${sessionsTable} ${key}`), deps.now(), deps.random)]),
    );

  async function readSessions(keys: string[]): Promise<Map<string, StoredSession>> {
    const found = await readAll(keys.map((key) => ({ table: sessionsTable, key: { key } })));
    return sessionsIn(found, keys);
  }

  /** One that changes nothing that anybody reads, and asks both tables. */
  const innocent = (): TransactWriteItem[] => [
    { Put: { TableName: stateTable, Item: toAttributes({ pk: INNOCENT_KEY, ttl: seconds() }) } },
    {
      ConditionCheck: {
        TableName: sessionsTable,
        Key: toAttributes({ key: deps.newToken() }),
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

  /** Until when, in unix seconds, an entry of version 0.1 can be there; known after the first read. */
  let oldUntil: number | undefined;

  /** Version 0.1 wrote its last entry before this one wrote its first; from then on, each lives so long. */
  async function learnOldUntil(scoped: Item | undefined): Promise<void> {
    if (scoped) oldUntil = Number(scoped.since) + deps.ledgerTtlSeconds;
    if (scoped || oldUntil !== undefined) return;
    const put = new PutItemCommand({
      TableName: stateTable,
      Item: toAttributes({ pk: SCOPED_KEY, since: seconds() }),
      ConditionExpression: "attribute_not_exists(pk)",
    });
    await dynamo.send(put).catch(() => {
      // Another container wrote it just now, or the next read tries again.
    });
  }

  return {
    async read(events, sessionKeys) {
      const old = oldUntil === undefined || seconds() <= oldUntil;
      const stateKeys = new Set([
        LIVE_RELEASE_KEY,
        ...(oldUntil === undefined ? [SCOPED_KEY] : []),
        ...events.flatMap(({ identity, id }) => [ledgerKey(identity), ...(old ? [oldLedgerKey(id)] : [])]),
      ]);
      const found = await readAll([
        ...[...stateKeys].map((pk) => ({ table: stateTable, key: { pk } })),
        ...sessionKeys.map((key) => ({ table: sessionsTable, key: { key } })),
      ]);
      const state = (pk: string) => found.get(`${stateTable} ${pk}`);
      await learnOldUntil(state(SCOPED_KEY));
      return {
        liveVersion: state(LIVE_RELEASE_KEY)?.version as string | undefined,
        ledger: new Map(
          events.map(({ identity, id }) => [
            identity,
            entryOf(state(ledgerKey(identity)), state(oldLedgerKey(id))),
          ]),
        ),
        sessions: sessionsIn(found, sessionKeys),
      };
    },
    async readSession(key) {
      return (await readSessions([key])).get(key) as StoredSession;
    },
    async commit(writes) {
      // Made once: a transaction that is sent again must be the same to the byte, or its token does not count.
      const now = seconds();
      let TransactItems: TransactWriteItem[] | undefined;
      let token = deps.newToken();
      for (let attempt = 1; ; attempt += 1) {
        try {
          TransactItems ??= writes.map((write) => actionOf(write, now));
          await dynamo.send(new TransactWriteItemsCommand({ TransactItems, ClientRequestToken: token }));
          return { conflicts: [] };
        } catch (thrown) {
          const refusal = refusalOf(thrown);
          if (refusal.kind === "changed") return { conflicts: refusal.indexes };
          if ((refusal.kind === "unfit" || refusal.kind === "strange") && (await failsAlone())) {
            const code = refusal.kind === "unfit" ? "commit-impossible" : "commit-failed";
            throw new AppError(code, errorText(thrown), { cause: thrown });
          }
          const passes = refusal.kind === "cancelled" || refusal.kind === "unknown";
          if (!passes || attempt === ATTEMPTS) throw dependencyFailed("TransactWriteItems", thrown);
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

/** What fails for what is asked, or nobody knows why, is not an outage of the table. */
function readFailed(thrown: unknown): AppError {
  const { kind } = refusalOf(thrown);
  if (kind !== "unfit" && kind !== "strange") return dependencyFailed("BatchGetItem", thrown);
  return new AppError("runtime-failed", `dynamodb:BatchGetItem failed: ${errorText(thrown)}`, {
    cause: thrown,
  });
}

/** DynamoDB's message names the action and the resource that a role lacks a permission for. */
const dependencyFailed = (action: string, cause: unknown) =>
  new AppError("dependency-failed", `dynamodb:${action} failed: ${errorText(cause)}`, { cause });
