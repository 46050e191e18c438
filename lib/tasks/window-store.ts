import {
  type DynamoDBClient,
  type TransactWriteItem,
  TransactWriteItemsCommand,
  UpdateItemCommand,
  type UpdateItemCommandInput,
} from "@aws-sdk/client-dynamodb";
import { fromAttributes, toAttributes } from "../dynamo/attributes.ts";
import { dependencyFailed, pauseBefore } from "../dynamo/retry.ts";
import { windowCounterKey, windowKey, windowMarkKey } from "../dynamo/state-keys.ts";
import { transactionErrorOf } from "../dynamo/transaction-error.ts";
import type { Coalesced } from "./tasks.ts";

/** An event that is counted once for one handler, however often it is delivered. */
export interface Counted {
  /** Identifies the event and the handler. */
  mark: string;
  /** When it arrived in the queue, in ms since 1970. */
  at: number;
}

/** The arrival times of the first and the last event that a consumer has counted in a window, in ms since 1970. */
export interface Span {
  first: number;
  last: number;
}

/**
 * The counts of windows, in the state table. Each consumer has its own counter in a window, so that consumers do not
 * wait for each other; the window's item lists the counters. All methods throw `dependency-failed`.
 */
export interface WindowStore {
  /**
   * Adds a counter to a window; `hasCloser`: a task that will close it is on the queue. Undefined if the window is
   * closed.
   */
  join(window: string, counter: string): Promise<{ hasCloser: boolean } | undefined>;
  /** Records that a task that will close the window is on the queue. */
  closerSent(window: string): Promise<void>;
  /**
   * Counts the events that were not counted before in any window, all or none. False if the window is closed. `span`
   * covers all events of this counter.
   */
  count(window: string, counter: string, events: Counted[], span: Span): Promise<boolean>;
  /** Closes the window permanently, and returns its count, which does not change from then on. */
  close(window: string): Promise<Coalesced | undefined>;
}

/** DynamoDB's limit of actions in one transaction, minus the counter. */
export const COUNT_EVENTS = 99;
const ATTEMPTS = 8;

/** `table`: the state table; `random` from 0 to 1; `newToken`: a unique token. */
export function createWindowStore(deps: {
  dynamo: Pick<DynamoDBClient, "send">;
  table: string;
  /** How long counts are kept: as long as ledger entries, which identify an event that is delivered again. */
  ttlSeconds: number;
  /** In ms since 1970. */
  now: () => number;
  random: () => number;
  newToken: () => string;
}): WindowStore {
  const { dynamo, table: TableName } = deps;
  const ttl = () => Math.floor(deps.now() / 1000) + deps.ttlSeconds;

  /** Undefined if the condition fails. Repeating the update does no harm. */
  async function update(pk: string, change: Omit<UpdateItemCommandInput, "TableName" | "Key">) {
    const command = new UpdateItemCommand({ TableName, Key: toAttributes({ pk }), ...change });
    for (let attempt = 1; ; attempt += 1) {
      try {
        const { Attributes = {} } = await dynamo.send(command);
        return fromAttributes(Attributes);
      } catch (thrown) {
        if ((thrown as Error).name === "ConditionalCheckFailedException") return undefined;
        if (transactionErrorOf(thrown).kind !== "changed" || attempt === ATTEMPTS)
          throw dependencyFailed("UpdateItem", thrown);
        await pauseBefore(attempt, deps.random);
      }
    }
  }

  const seal = (pk: string) =>
    update(pk, {
      UpdateExpression: "SET is_sealed = :yes, #ttl = :ttl",
      ExpressionAttributeNames: { "#ttl": "ttl" },
      ExpressionAttributeValues: toAttributes({ ":yes": true, ":ttl": ttl() }),
      ReturnValues: "ALL_NEW",
    });

  const mark = ({ mark: pk }: Counted): TransactWriteItem => ({
    Put: {
      TableName,
      Item: toAttributes({ pk: windowMarkKey(pk), ttl: ttl() }),
      ConditionExpression: "attribute_not_exists(pk)",
    },
  });

  const add = (pk: string, count: number, { first, last }: Span): TransactWriteItem => ({
    Update: {
      TableName,
      Key: toAttributes({ pk }),
      UpdateExpression: "ADD #count :count SET #first = :first, #last = :last, #ttl = :ttl",
      ConditionExpression: "attribute_not_exists(is_sealed)",
      ExpressionAttributeNames: { "#count": "count", "#first": "first", "#last": "last", "#ttl": "ttl" },
      ExpressionAttributeValues: toAttributes({
        ":count": count,
        ":first": first,
        ":last": last,
        ":ttl": ttl(),
      }),
    },
  });

  return {
    async join(window, counter) {
      const item = await update(windowKey(window), {
        UpdateExpression: "ADD counters :counter SET #ttl = :ttl",
        ConditionExpression: "attribute_not_exists(is_sealed)",
        ExpressionAttributeNames: { "#ttl": "ttl" },
        ExpressionAttributeValues: { ":counter": { SS: [counter] }, ":ttl": { N: String(ttl()) } },
        ReturnValues: "ALL_NEW",
      });
      return item && { hasCloser: item.has_closer === true };
    },
    async closerSent(window) {
      await update(windowKey(window), {
        UpdateExpression: "SET has_closer = :yes",
        ExpressionAttributeValues: toAttributes({ ":yes": true }),
      });
    },
    async count(window, counter, events, span) {
      let open = events;
      for (let attempt = 1; open.length > 0; attempt += 1) {
        const TransactItems = [add(windowCounterKey(window, counter), open.length, span), ...open.map(mark)];
        // The token ensures that a call which the SDK sends twice is done once.
        const command = new TransactWriteItemsCommand({ TransactItems, ClientRequestToken: deps.newToken() });
        try {
          await dynamo.send(command);
          return true;
        } catch (thrown) {
          const codes = codesOf(thrown);
          if (codes?.[0] === "ConditionalCheckFailed") return false;
          // Without the events that were counted at an earlier delivery.
          const left = codes ? open.filter((_, at) => codes[at + 1] !== "ConditionalCheckFailed") : open;
          const { kind } = transactionErrorOf(thrown);
          const passes = kind === "changed" || kind === "cancelled";
          if (left.length === open.length && (!passes || attempt >= ATTEMPTS))
            throw dependencyFailed("TransactWriteItems", thrown);
          if (left.length === open.length) await pauseBefore(attempt, deps.random);
          open = left;
        }
      }
      return true;
    },
    async close(window) {
      const item = await seal(windowKey(window));
      const counters = [...((item?.counters as Set<string> | undefined) ?? [])];
      const found = await Promise.all(counters.map((counter) => seal(windowCounterKey(window, counter))));
      const counted = found.filter((one): one is Record<"count" | keyof Span, number> => Boolean(one?.count));
      if (counted.length === 0) return undefined;
      return {
        count: counted.reduce((sum, { count }) => sum + count, 0),
        first: Math.min(...counted.map(({ first }) => first)),
        last: Math.max(...counted.map(({ last }) => last)),
      };
    },
  };
}

/** The reasons of a cancelled transaction, in the order of its items. */
function codesOf(thrown: unknown): string[] | undefined {
  const { name, CancellationReasons } = (thrown ?? {}) as {
    name?: string;
    CancellationReasons?: { Code?: string }[];
  };
  return name === "TransactionCanceledException"
    ? CancellationReasons?.map(({ Code = "None" }) => Code)
    : undefined;
}
