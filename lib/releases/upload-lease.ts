import { type DynamoDBDocumentClient, GetCommand, UpdateCommand } from "@aws-sdk/lib-dynamodb";
import { NOTICES_KEY } from "../dynamo/state-keys.ts";

/** Lets one of the many invocations for an upload build the release for all of them. */
export interface UploadLease {
  /** Counts one more file that was uploaded or deleted. */
  count(): Promise<void>;
  counted(): Promise<number>;
  /** Takes the lease until this time, in ms since 1970; false if another invocation has it and builds for all. */
  lead(owner: string, until: number): Promise<boolean>;
  /** Releases the lease: the next invocation can take it. */
  release(owner: string): Promise<void>;
}

/** `table`: the state table; `now` in ms. A lease that is not released expires at its `until`. */
export function createUploadLease(deps: {
  dynamo: DynamoDBDocumentClient;
  table: string;
  now: () => number;
}): UploadLease {
  const Key = { pk: NOTICES_KEY };
  const item = { TableName: deps.table, Key };
  const update = (input: Omit<ConstructorParameters<typeof UpdateCommand>[0], "TableName" | "Key">) =>
    deps.dynamo.send(new UpdateCommand({ ...item, ...input }));

  /** False when the condition does not hold. */
  async function updateIf(input: Parameters<typeof update>[0]): Promise<boolean> {
    try {
      await update(input);
      return true;
    } catch (thrown) {
      if ((thrown as Error).name === "ConditionalCheckFailedException") return false;
      throw thrown;
    }
  }

  return {
    async count() {
      await update({ UpdateExpression: "ADD notices :one", ExpressionAttributeValues: { ":one": 1 } });
    },
    async counted() {
      const { Item } = await deps.dynamo.send(new GetCommand({ ...item, ConsistentRead: true }));
      return (Item?.notices as number) ?? 0;
    },
    lead: (owner, until) =>
      updateIf({
        UpdateExpression: "SET leader = :owner, leads_until = :until",
        // Its own lease: Lambda retries a failed invocation with the same id.
        ConditionExpression: "attribute_not_exists(leader) OR leader = :owner OR leads_until < :now",
        ExpressionAttributeValues: { ":owner": owner, ":until": until, ":now": deps.now() },
      }),
    async release(owner) {
      await updateIf({
        UpdateExpression: "REMOVE leader, leads_until",
        ConditionExpression: "leader = :owner",
        ExpressionAttributeValues: { ":owner": owner },
      });
    },
  };
}
