import { setTimeout as delay } from "node:timers/promises";
import {
  BatchGetCommand,
  DeleteCommand,
  type DynamoDBDocumentClient,
  PutCommand,
  QueryCommand,
  UpdateCommand,
  type UpdateCommandInput,
} from "@aws-sdk/lib-dynamodb";
import { AppError } from "../errors.ts";
import { type Change, keyDigest } from "./changes.ts";

/** A change that the gateway can be asked for: not one of an item whose session is none. */
export type Parkable = Change & { action: Exclude<Change["action"], { operation: "unfit" }> };

export const isParkable = (change: Change): change is Parkable => change.action.operation !== "unfit";

/** A parked change in the hands of one invocation. */
export interface Claimed {
  id: string;
  change: Parkable;
  /** How often it was tried since it was parked. */
  attempts: number;
  /** Since when its key has had a parked change, in ms. */
  since: number;
  /** Until when nobody else takes it in hand, in ms. */
  until: number;
}

/**
 * The latest change of each key that the gateway did not take while it took others. While a key has one, all that is
 * sent for it is sent by who has claimed it. Times are in ms.
 */
export interface ParkedChanges {
  /** Those of these keys that have a parked change. Strongly consistent. */
  among(keys: string[]): Promise<Set<string>>;
  /** Throws `session-too-large` for what no item can hold. */
  park(change: Parkable, dueAt: number): Promise<void>;
  /**
   * Puts a change in the place of its key's parked one, unless that is a later one, and makes it due. False when
   * the key has none any more. Throws as `park` does.
   */
  join(change: Parkable): Promise<boolean>;
  /** The parked changes that are due now, the longest due first, by their ids. */
  due(): AsyncIterable<string>;
  /** Takes one in hand until then; undefined when it is not due, not there or in other hands. */
  claim(id: string, until: number): Promise<Claimed | undefined>;
  /** Forgets one that is done; when a later change has joined it meanwhile, that one stays and is due. */
  forget(claimed: Claimed): Promise<void>;
  /** Has one tried again then; when a later change has joined it meanwhile, that one is due. */
  postpone(claimed: Claimed, dueAt: number): Promise<void>;
}

/** The state table's index of what is to be done later. Only items that have its two attributes are in it. */
export const DUE_INDEX = "by-due";
const DUE_FOR = "gateway";
const READ_KEYS = 100;

export function createParkedChanges(deps: {
  dynamo: DynamoDBDocumentClient;
  table: string;
  now: () => number;
}): ParkedChanges {
  const { dynamo, table: TableName } = deps;

  /** The item as it is then, or undefined when the condition does not hold, and whether there is one. */
  async function updateIf(
    pk: string,
    update: Omit<UpdateCommandInput, "TableName" | "Key">,
  ): Promise<{ updated: Item | undefined; exists: boolean }> {
    try {
      const { Attributes } = await dynamo.send(
        new UpdateCommand({
          TableName,
          Key: { pk },
          ReturnValues: "ALL_NEW",
          ReturnValuesOnConditionCheckFailure: "ALL_OLD",
          ...update,
        }),
      );
      return { updated: Attributes as Item, exists: true };
    } catch (thrown) {
      if (!isConditionFailed(thrown)) throw thrown;
      return { updated: undefined, exists: (thrown as { Item?: object }).Item !== undefined };
    }
  }

  /** Lets go of one that a later change has joined: that one is due. */
  const letGo = ({ id, until }: Claimed) =>
    updateIf(id, {
      UpdateExpression: "SET held_until = :now",
      ConditionExpression: "held_until = :until",
      ExpressionAttributeValues: { ":now": deps.now(), ":until": until },
    });

  async function join(change: Parkable): Promise<boolean> {
    const { pk, sequence_number, waits } = itemOf(change);
    const { exists } = await updateIf(pk, {
      UpdateExpression: "SET sequence_number = :sequence, waits = :waits, attempts = :none, due_at = :now",
      ConditionExpression: "sequence_number < :sequence",
      ExpressionAttributeValues: {
        ":sequence": sequence_number,
        ":waits": waits,
        ":none": 0,
        ":now": deps.now(),
      },
    }).catch((thrown) => {
      throw storable(thrown);
    });
    return exists;
  }

  return {
    async among(keys) {
      const found = new Set<string>();
      let open = keys.map((key) => ({ pk: idOf(key) }));
      while (open.length > 0) {
        const Keys = open.slice(0, READ_KEYS);
        const read = { Keys, ConsistentRead: true, ProjectionExpression: "pk" };
        const { Responses, UnprocessedKeys } = await dynamo.send(
          new BatchGetCommand({ RequestItems: { [TableName]: read } }),
        );
        for (const { pk } of Responses?.[TableName] ?? []) found.add(pk as string);
        const unread = (UnprocessedKeys?.[TableName]?.Keys ?? []) as typeof open;
        if (unread.length > 0) await delay(100);
        open = [...unread, ...open.slice(READ_KEYS)];
      }
      return new Set(keys.filter((key) => found.has(idOf(key))));
    },

    async park(change, dueAt) {
      const now = deps.now();
      const Item: Item = {
        ...itemOf(change),
        parked_at: now,
        attempts: 0,
        due_for: DUE_FOR,
        due_at: dueAt,
        held_until: now,
      };
      const ConditionExpression = "attribute_not_exists(pk)";
      try {
        await dynamo.send(new PutCommand({ TableName, Item, ConditionExpression }));
      } catch (thrown) {
        if (!isConditionFailed(thrown)) throw storable(thrown);
        // There already: mostly by this very call, which the SDK has repeated since its answer was lost.
        if (!(await join(change))) throw thrown;
      }
    },

    join,

    async *due() {
      let after: Record<string, unknown> | undefined;
      do {
        const { Items = [], LastEvaluatedKey } = await dynamo.send(
          new QueryCommand({
            TableName,
            IndexName: DUE_INDEX,
            KeyConditionExpression: "due_for = :for AND due_at <= :now",
            ExpressionAttributeValues: { ":for": DUE_FOR, ":now": deps.now() },
            ExclusiveStartKey: after,
          }),
        );
        for (const { pk } of Items) yield pk as string;
        after = LastEvaluatedKey;
      } while (after !== undefined);
    },

    async claim(id, until) {
      const { updated } = await updateIf(id, {
        UpdateExpression: "SET held_until = :until",
        ConditionExpression: "due_at <= :now AND held_until <= :now",
        ExpressionAttributeValues: { ":until": until, ":now": deps.now() },
      });
      return updated && claimedOf(updated);
    },

    async forget(claimed) {
      try {
        await dynamo.send(new DeleteCommand({ TableName, Key: { pk: claimed.id }, ...unchanged(claimed) }));
      } catch (thrown) {
        if (!isConditionFailed(thrown)) throw thrown;
        await letGo(claimed);
      }
    },

    async postpone(claimed, dueAt) {
      const { ConditionExpression, ExpressionAttributeValues } = unchanged(claimed);
      const { updated } = await updateIf(claimed.id, {
        UpdateExpression: "SET due_at = :due, attempts = :attempts, held_until = :now",
        ConditionExpression,
        ExpressionAttributeValues: {
          ...ExpressionAttributeValues,
          ":due": dueAt,
          ":attempts": claimed.attempts + 1,
          ":now": deps.now(),
        },
      });
      if (!updated) await letGo(claimed);
    },
  };
}

interface Item {
  pk: string;
  /** With zeros before it, so that it compares as text. */
  sequence_number: string;
  waits: { key: string; org_id: string; at: number } & Parkable["action"];
  parked_at: number;
  attempts: number;
  due_for: string;
  due_at: number;
  /** There from the start, so that the item does not grow when it is claimed. */
  held_until: number;
}

/** In the same hands, and no later change has joined it. */
const unchanged = ({ change, until }: Claimed) => ({
  ConditionExpression: "sequence_number = :sequence AND held_until = :until",
  ExpressionAttributeValues: { ":sequence": padded(change.sequenceNumber), ":until": until },
});

/** By the digest: a key may be as long as an id. */
const idOf = (key: string) => `parked#${keyDigest(key)}`;

/** https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_StreamRecord.html */
const SEQUENCE_DIGITS = 40;

const padded = (sequenceNumber: string) => sequenceNumber.padStart(SEQUENCE_DIGITS, "0");

const itemOf = ({ key, orgId, action, sequenceNumber, at }: Parkable) => ({
  pk: idOf(key),
  sequence_number: padded(sequenceNumber),
  waits: { key, org_id: orgId, at, ...action },
});

function claimedOf({ pk, sequence_number, waits, ...item }: Item): Claimed {
  const { key, org_id: orgId, at, ...action } = waits;
  const change = { key, orgId, at, action, sequenceNumber: sequence_number.replace(/^0+/, "") };
  return { id: pk, change, attempts: item.attempts, since: item.parked_at, until: item.held_until };
}

const isConditionFailed = (thrown: unknown) => (thrown as Error).name === "ConditionalCheckFailedException";

function storable(thrown: unknown): unknown {
  if ((thrown as Error).name !== "ValidationException") return thrown;
  const message = "the gateway does not take it now, and it is too large to be kept until it does";
  return new AppError("session-too-large", message, { cause: thrown });
}
