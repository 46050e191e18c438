import {
  type DynamoDBClient,
  type TransactWriteItem,
  TransactWriteItemsCommand,
} from "@aws-sdk/client-dynamodb";
import { type Attributes, toAttributes } from "../dynamo/attributes.ts";
import { batchGet } from "../dynamo/batch-get.ts";
import { condition } from "../dynamo/condition.ts";
import { ATTEMPTS, dependencyFailed, pauseBefore } from "../dynamo/retry.ts";
import { INNOCENT_KEY } from "../dynamo/state-keys.ts";
import { type TransactionError, transactionErrorOf } from "../dynamo/transaction-error.ts";
import { AppError, errorText } from "../errors.ts";
import { type ChangedBy, type GatewayState, type Marks, nextVersion, sessionItem } from "../sessions/item.ts";
import type { Session } from "../sessions/session.ts";
import { type LedgerEntry, ledgerItem } from "./ledger-item.ts";
import { isItself, type Put, putItem, putTogether } from "./puts.ts";

/** One item of a commit, put on condition that it still has the version that was read. */
export type Write = SessionWrite | EntryWrite | Fence;

/** The next state of a session's item. `version` is the one that was read; the item gets the next one. */
export interface SessionWrite {
  kind: "session";
  key: string;
  /** Undefined: it is deleted; if a gateway owns the sessions, the item is kept and says so. */
  session: Session | undefined;
  version: number;
  /** When DynamoDB deletes it, in unix seconds; 0 means never. */
  end?: number;
  gateway?: GatewayState;
  changedBy?: ChangedBy;
  marks?: Marks | undefined;
}

/** The next state of an event's ledger entry, by the event's identity. `version` is the one that was read. */
export type EntryWrite = { kind: "ledger"; identity: string } & LedgerEntry;

/** Raises the version of a session and changes nothing else, so that writes based on an earlier read fail. */
export interface Fence {
  kind: "fence";
  key: string;
  version: number;
}

/** The result of a put. `failed`: with the error that `commit` would throw. */
export type PutResult = { is: "written" } | { is: "conflict" } | { is: "failed"; thrown: unknown };

/** A call that is repeated unchanged until its outcome is known, so that it takes effect once. */
interface Sending {
  action: "TransactWriteItems" | "PutItem";
  send(): Promise<unknown>;
  /** `done`: an earlier attempt succeeded, and its response was lost. */
  errorOf(thrown: unknown): TransactionError | { kind: "done" };
}

/** The dependencies of the writes. `now` in ms, `random` from 0 to 1; tests set both. */
export interface CommitDeps {
  dynamo: Pick<DynamoDBClient, "send">;
  sessionsTable: string;
  stateTable: string;
  /**
   * How long a ledger entry is kept, in seconds: longer than an event can stay in the queue and its dead-letter queue.
   */
  ledgerTtlSeconds: number;
  now: () => number;
  random: () => number;
  /** A new, unique token, which identifies a write that was sent twice. */
  newToken: () => string;
}

/** See `ConsumerStore` for both, and for what they throw. */
export interface Commits {
  commit(writes: Write[]): Promise<{ conflicts: number[] }>;
  put(writes: (SessionWrite | EntryWrite)[]): Promise<PutResult[]>;
}

/** Optional attributes: a put removes those that the new item does not have. */
const OPTIONAL_OF_SESSION = ["again", "alias", "changed_by", "gateway", "marks", "org_id", "ttl"];
const OPTIONAL_OF_ENTRY = ["attempts", "digest"];

/** `commit` and `put` of a consumer's store. */
export function createCommits(deps: CommitDeps): Commits {
  const { dynamo, sessionsTable, stateTable, newToken } = deps;
  const seconds = () => Math.floor(deps.now() / 1000);
  const entryItem = (write: EntryWrite) =>
    ledgerItem(write.identity, write, seconds() + deps.ledgerTtlSeconds);
  const sessionItemOf = ({ key, session, version, end, gateway, changedBy, marks }: SessionWrite) =>
    sessionItem(key, session, nextVersion(version), seconds(), gateway, end, changedBy, marks);

  function actionOf(write: Write): TransactWriteItem {
    if (write.kind === "fence") return fenceAction(write);
    const asRead = condition(write.version);
    if (write.kind === "ledger")
      return { Put: { TableName: stateTable, Item: toAttributes(entryItem(write)), ...asRead } };
    const { key, session, gateway } = write;
    if (!session && !gateway)
      return { Delete: { TableName: sessionsTable, Key: toAttributes({ key }), ...asRead } };
    return { Put: { TableName: sessionsTable, Item: toAttributes(sessionItemOf(write)), ...asRead } };
  }

  function fenceAction({ key, version }: Fence): TransactWriteItem {
    const place = { TableName: sessionsTable, Key: toAttributes({ key }) };
    const { ExpressionAttributeValues: read, ...asRead } = condition(version);
    if (!read) return { ConditionCheck: { ...place, ...asRead } };
    const values = { ...read, ...toAttributes({ ":next": nextVersion(version) }) };
    return {
      Update: {
        ...place,
        ...asRead,
        UpdateExpression: "SET #version = :next",
        ExpressionAttributeValues: values,
      },
    };
  }

  function transaction(writes: Write[]): Sending {
    const TransactItems = writes.map(actionOf);
    let token = newToken();
    return {
      action: "TransactWriteItems",
      send: () => dynamo.send(new TransactWriteItemsCommand({ TransactItems, ClientRequestToken: token })),
      errorOf(thrown) {
        const error = transactionErrorOf(thrown);
        // A cancelled transaction wrote nothing. The outcome of any other is unknown: with the same token it is not
        // done twice.
        if (error.kind === "cancelled") token = newToken();
        return error;
      },
    };
  }

  /** Each put of an entry has its own token, since two deliveries of one event may write the same content. */
  const putOf = (write: SessionWrite | EntryWrite): Put =>
    write.kind === "ledger"
      ? {
          table: stateTable,
          key: "pk",
          item: { ...entryItem(write), token: newToken() },
          read: write.version,
          optional: OPTIONAL_OF_ENTRY,
        }
      : {
          table: sessionsTable,
          key: "key",
          item: sessionItemOf(write),
          read: write.version,
          optional: OPTIONAL_OF_SESSION,
        };

  /**
   * Half the price of a transaction, and no token: if its condition fails, the stored item shows whether an earlier
   * attempt took effect.
   */
  const plainPut = (put: Put): Sending => ({
    action: "PutItem",
    send: () => putItem(dynamo, put),
    errorOf(thrown) {
      const met = metBy(thrown);
      return met && isItself(put, met) ? { kind: "done" } : transactionErrorOf(thrown);
    },
  });

  /** Writes something that is never read, and uses both tables. */
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

  /** Whether only this write fails, or every write: tested with a harmless write. */
  async function failsAlone(): Promise<boolean> {
    try {
      await dynamo.send(new TransactWriteItemsCommand({ TransactItems: innocent() }));
      return true;
    } catch (thrown) {
      // Two such writes may conflict, which also shows that the tables accept writes.
      return transactionErrorOf(thrown).kind === "changed";
    }
  }

  async function sendUntilKnown(make: () => Sending): Promise<{ conflicts: number[] }> {
    let sending: Sending | undefined;
    for (let attempt = 1; ; attempt += 1) {
      try {
        sending ??= make();
        await sending.send();
        return { conflicts: [] };
      } catch (thrown) {
        const error = sending?.errorOf(thrown) ?? transactionErrorOf(thrown);
        if (error.kind === "done") return { conflicts: [] };
        if (error.kind === "changed") return { conflicts: error.indexes };
        if ((error.kind === "unfit" || error.kind === "strange") && (await failsAlone())) {
          const code = error.kind === "unfit" ? "commit-impossible" : "commit-failed";
          throw new AppError(code, errorText(thrown), { cause: thrown });
        }
        const passes = error.kind === "cancelled" || error.kind === "unknown";
        if (!passes || attempt === ATTEMPTS)
          throw dependencyFailed(sending?.action ?? "TransactWriteItems", thrown);
        await pauseBefore(attempt, deps.random);
      }
    }
  }

  async function putAlone(put: Put): Promise<PutResult> {
    try {
      const { conflicts } = await sendUntilKnown(() => plainPut(put));
      return { is: conflicts.length > 0 ? "conflict" : "written" };
    } catch (thrown) {
      return { is: "failed", thrown };
    }
  }

  /** The stored item, after the condition of a put failed. DynamoDB returns it with the error; other engines do not. */
  async function itemAt({ table, key, item }: Put): Promise<Attributes | undefined> {
    const name = String(item[key]);
    const [found] = await batchGet(dynamo, table, [{ [key]: name }], {
      random: deps.random,
      consistent: true,
    });
    return found;
  }

  async function afterConditionFailed(put: Put, met: Attributes | undefined): Promise<PutResult> {
    try {
      const found = met ?? (await itemAt(put));
      return { is: found && isItself(put, found) ? "written" : "conflict" };
    } catch (thrown) {
      return { is: "failed", thrown: dependencyFailed("BatchGetItem", thrown) };
    }
  }

  async function putAll(puts: Put[]): Promise<PutResult[]> {
    const ends = await putTogether(dynamo, puts);
    return Promise.all(
      puts.map((put, index): PutResult | Promise<PutResult> => {
        const end = ends[index];
        if (end?.is === "written") return end;
        return end?.is === "condition-failed" ? afterConditionFailed(put, end.met) : putAlone(put);
      }),
    );
  }

  return {
    commit: (writes) => sendUntilKnown(() => transaction(writes)),
    async put(writes) {
      const puts = writes.map(putOf);
      const [only, ...others] = puts;
      return only && others.length === 0 ? [await putAlone(only)] : putAll(puts);
    },
  };
}

/** The stored item in the error of a failed condition. */
function metBy(thrown: unknown): Attributes | undefined {
  const { name, Item } = (thrown ?? {}) as { name?: string; Item?: Attributes };
  return name === "ConditionalCheckFailedException" ? Item : undefined;
}
