import {
  ConditionalCheckFailedException,
  type DynamoDBClient,
  GetItemCommand,
  UpdateItemCommand,
} from "@aws-sdk/client-dynamodb";
import { fromAttributes, toAttributes } from "../dynamo/attributes.ts";
import { RECONCILE_KEY } from "../dynamo/state-keys.ts";

/** The lock of the comparison, which one invocation has at a time. */
export interface Turn {
  /** The key after which to continue; undefined to start from the beginning. */
  after: string | undefined;
  /** Stores the position and releases the lock. Does nothing if the lock had expired. */
  end(after: string | undefined): Promise<void>;
}

/** The position of the comparison, shared by all invocations. */
export function createReconcilePlace(deps: {
  dynamo: Pick<DynamoDBClient, "send">;
  stateTable: string;
  now: () => number;
}) {
  const { dynamo, stateTable: TableName } = deps;

  /** Only if no invocation has had the lock since it was read. */
  async function write(turn: number, item: { turn: number; until: number; after: string | undefined }) {
    const set = Object.entries(item).filter(([, value]) => value !== undefined);
    const update = [
      `SET ${set.map(([name]) => `#${name} = :${name}`)}`,
      item.after === undefined && "REMOVE #after",
    ];
    try {
      await dynamo.send(
        new UpdateItemCommand({
          TableName,
          Key: PLACE,
          UpdateExpression: update.filter(Boolean).join(" "),
          ConditionExpression: turn === 0 ? "attribute_not_exists(#turn)" : "#turn = :read",
          ExpressionAttributeNames: { "#turn": "turn", "#until": "until", "#after": "after" },
          ExpressionAttributeValues: toAttributes({
            ...Object.fromEntries(set.map(([name, value]) => [`:${name}`, value])),
            ...(turn > 0 && { ":read": turn }),
          }),
        }),
      );
      return true;
    } catch (thrown) {
      if (thrown instanceof ConditionalCheckFailedException) return false;
      throw thrown;
    }
  }

  return {
    /** For at most this number of ms; undefined while another invocation has it. */
    async begin(ms: number): Promise<Turn | undefined> {
      const { Item } = await dynamo.send(new GetItemCommand({ TableName, Key: PLACE, ConsistentRead: true }));
      const { turn = 0, until = 0, after } = (Item ? fromAttributes(Item) : {}) as Partial<Kept>;
      if (until > deps.now()) return undefined;
      const mine = turn + 1;
      if (!(await write(turn, { turn: mine, until: deps.now() + ms, after }))) return undefined;
      return {
        after,
        end: async (reached) => void (await write(mine, { turn: mine, until: 0, after: reached })),
      };
    },
  };
}

interface Kept {
  /** The number of locks so far. */
  turn: number;
  /** When the current lock expires, in unix ms; 0 if it was released. */
  until: number;
  after: string;
}

const PLACE = toAttributes({ pk: RECONCILE_KEY });
