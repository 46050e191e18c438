import { BatchGetItemCommand, type BatchGetItemCommandInput, PutItemCommand } from "@aws-sdk/client-dynamodb";
import { fromAttributes, toAttributes } from "../dynamo/attributes.ts";
import { refusalOf } from "../dynamo/refusal.ts";
import { AppError, errorText } from "../errors.ts";
import type { EventKey } from "../events/identity.ts";
import { LIVE_RELEASE_KEY } from "../releases/release.ts";
import { type Reader, type StoredSession, storedSession } from "../sessions/item.ts";
import {
  ATTEMPTS,
  type CommitDeps,
  createCommit,
  dependencyFailed,
  pauseBefore,
  type Write,
} from "./commit.ts";
import { entryOf, type LedgerEntry, ledgerKey, oldLedgerKey, SCOPED_KEY } from "./ledger-item.ts";

export type { Write };

export interface BatchRead {
  liveVersion: string | undefined;
  /** By the identity of the event. */
  ledger: Map<string, LedgerEntry>;
  sessions: Map<string, StoredSession>;
}

export interface ConsumerStore {
  /** The live version, the ledger of these events and these sessions: one consistent read. Throws `dependency-failed`. */
  read(events: EventKey[], sessionKeys: string[]): Promise<BatchRead>;
  readSession(key: string, reader?: Reader): Promise<StoredSession>;
  /**
   * Makes all writes true, or none; then answers the indexes of those whose item others had changed or were at. One
   * ledger entry alone costs half of what it does among others.
   * Throws `commit-impossible` when the table will never take them, `commit-failed` when they failed in a way that
   * others' writes did not, and `dependency-failed` when it is not known whether they became true (the ledger tells
   * at the next delivery).
   */
  commit(writes: Write[]): Promise<{ conflicts: number[] }>;
}

/** DynamoDB's own limits of one call. */
const READ_KEYS = 100;
export const COMMIT_ACTIONS = 100;

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
    commit: createCommit(deps),
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
