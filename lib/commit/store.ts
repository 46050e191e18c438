import { BatchGetItemCommand, type BatchGetItemCommandInput, PutItemCommand } from "@aws-sdk/client-dynamodb";
import { fromAttributes, toAttributes } from "../dynamo/attributes.ts";
import { ATTEMPTS, dependencyFailed, pauseBefore } from "../dynamo/retry.ts";
import { LIVE_RELEASE_KEY, ledgerKey, oldLedgerKey, SCOPED_KEY } from "../dynamo/state-keys.ts";
import { transactionErrorOf } from "../dynamo/transaction-error.ts";
import { AppError, errorText } from "../errors.ts";
import type { EventKey } from "../events/identity.ts";
import { knowsMarks } from "../releases/table-format.ts";
import { type Marks, type Reader, type StoredSession, storedSession } from "../sessions/item.ts";
import {
  type CommitDeps,
  createCommits,
  type EntryWrite,
  type PutResult,
  type SessionWrite,
  type Write,
} from "./commit.ts";
import { entryOf, type LedgerEntry } from "./ledger-item.ts";

/** The data that a batch starts with: its sessions, then its ledger entries, from strongly consistent reads. */
export interface BatchRead {
  liveVersion: string | undefined;
  /** By the identity of the event. */
  ledger: Map<string, LedgerEntry>;
  sessions: Map<string, StoredSession>;
  /** Handlers that are done according to the ledger, by identity, for other events that have marks in the sessions. */
  marked?: Map<string, string[]>;
  /** Whether marks may be written: no consumer without marks is running any more. */
  marks?: boolean;
}

/** The consumer's part of the session and state tables. */
export interface ConsumerStore {
  /**
   * Reads the live version and these sessions, and after them the ledger entries of these events, both consistently: in
   * this order no entry of a mark can be missed. Throws `dependency-failed`.
   */
  read(events: EventKey[], sessionKeys: string[]): Promise<BatchRead>;
  /**
   * `reader` is used if a gateway owns the sessions: sessions that the table does not have are read from the gateway
   * for it.
   */
  readSession(key: string, reader?: Reader): Promise<StoredSession>;
  /**
   * Makes all writes, or none; then it returns the indexes of the writes whose item other writers had changed or
   * locked. Throws `commit-impossible` if the table can never accept them, `commit-failed` if they failed while other
   * writes succeed, and `dependency-failed` if it is unknown whether they took effect (the ledger says so at the next
   * delivery).
   */
  commit(writes: Write[]): Promise<{ conflicts: number[] }>;
  /** Makes each write separately, for half the price of a transaction. The results are in the same order. */
  put(writes: (SessionWrite | EntryWrite)[]): Promise<PutResult[]>;
  /** Writes these marks to the ledger. Throws `dependency-failed`. */
  proveMarks(marks: Marks): Promise<void>;
}

/** DynamoDB's own limit of one call. */
const READ_KEYS = 100;
/** DynamoDB's limit of actions in one `TransactWriteItems`. */
export const COMMIT_ACTIONS = 100;

/** Its only state between batches is the time until which the ledger may have entries of version 0.1. */
export function createConsumerStore(deps: CommitDeps): ConsumerStore {
  const { dynamo, sessionsTable, stateTable } = deps;
  const seconds = () => Math.floor(deps.now() / 1000);

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
      if (attempt > 0) await pauseBefore(attempt, deps.random);
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

  const sessionsIn = (found: Map<string, Item>, keys: string[]): Map<string, StoredSession> =>
    new Map(
      keys.map((key) => [key, storedSession(found.get(`${sessionsTable} ${key}`), deps.now(), deps.random)]),
    );

  async function readSessions(keys: string[]): Promise<Map<string, StoredSession>> {
    const found = await readAll(keys.map((key) => ({ table: sessionsTable, key: { key } })));
    return sessionsIn(found, keys);
  }

  /** The time until which an entry of version 0.1 can exist, in unix seconds; known after the first read. */
  let oldUntil: number | undefined;

  /** Version 0.1 wrote its last entry before this version wrote its first; each is kept for the ledger's TTL. */
  async function learnOldUntil(scoped: Item | undefined): Promise<void> {
    if (scoped) oldUntil = Number(scoped.since) + deps.ledgerTtlSeconds;
    if (scoped || oldUntil !== undefined) return;
    const put = new PutItemCommand({
      TableName: stateTable,
      Item: toAttributes({ pk: SCOPED_KEY, since: seconds() }),
      ConditionExpression: "attribute_not_exists(pk)",
    });
    await dynamo.send(put).catch(() => {
      // Another container has written it, or the next read tries again.
    });
  }

  const stateKey = (pk: string) => ({ table: stateTable, key: { pk } });

  async function readLedger(events: EventKey[], sessions: Map<string, StoredSession>) {
    const old = oldUntil === undefined || seconds() <= oldUntil;
    const own = new Set(events.map(({ identity }) => identity));
    const others = new Set(
      [...sessions.values()].flatMap(({ marks = {} }) => Object.keys(marks).filter((id) => !own.has(id))),
    );
    const keys = new Set([
      ...[...own, ...others].map(ledgerKey),
      ...(old ? events.map(({ id }) => oldLedgerKey(id)) : []),
    ]);
    const found = await readAll([...keys].map(stateKey));
    const state = (pk: string) => found.get(`${stateTable} ${pk}`);
    return {
      ledger: new Map(
        events.map(({ identity, id }) => [
          identity,
          entryOf(state(ledgerKey(identity)), state(oldLedgerKey(id))),
        ]),
      ),
      marked: new Map([...others].map((id) => [id, entryOf(state(ledgerKey(id)), undefined).done])),
    };
  }

  return {
    async read(events, sessionKeys) {
      const found = await readAll([
        stateKey(LIVE_RELEASE_KEY),
        ...(oldUntil === undefined ? [stateKey(SCOPED_KEY)] : []),
        ...sessionKeys.map((key) => ({ table: sessionsTable, key: { key } })),
      ]);
      const state = (pk: string) => found.get(`${stateTable} ${pk}`);
      await learnOldUntil(state(SCOPED_KEY));
      const live = state(LIVE_RELEASE_KEY);
      const sessions = sessionsIn(found, sessionKeys);
      for (const stored of sessions.values()) stored.beforeLedger = true;
      return {
        liveVersion: live?.version as string | undefined,
        marks: knowsMarks(live),
        sessions,
        ...(await readLedger(events, sessions)),
      };
    },
    async readSession(key) {
      return (await readSessions([key])).get(key) as StoredSession;
    },
    ...createCommits(deps),
    // Few batches delete a session.
    async proveMarks(marks) {
      const { createProveMarks } = await import("./prove-marks.ts");
      return createProveMarks(deps)(marks);
    },
  };
}

type Item = Record<string, unknown>;
interface TableKey {
  table: string;
  key: Item;
}

/** An error of this request, or an unknown error, is not an outage of the table. */
function readFailed(thrown: unknown): AppError {
  const { kind } = transactionErrorOf(thrown);
  if (kind !== "unfit" && kind !== "strange") return dependencyFailed("BatchGetItem", thrown);
  return new AppError("runtime-failed", `dynamodb:BatchGetItem failed: ${errorText(thrown)}`, {
    cause: thrown,
  });
}
