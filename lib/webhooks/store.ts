import { createHash } from "node:crypto";
import { DeleteItemCommand, type DynamoDBClient, PutItemCommand } from "@aws-sdk/client-dynamodb";
import { fromAttributes, toAttributes } from "../dynamo/attributes.ts";
import { batchGet } from "../dynamo/batch-get.ts";
import { dependencyFailed } from "../dynamo/retry.ts";
import { webhookCooldownKey, webhookDoneKey, webhookOffKey } from "../dynamo/state-keys.ts";
import type { Webhook } from "./definition.ts";

/** The stored state of a webhook before its request. */
export interface Known {
  /** It was delivered, or need not be sent. */
  done: boolean;
  /** When its target answered 410, in ISO 8601. */
  offSince?: string;
}

/** The result of a claim: whether a webhook may send a body. */
export type Claim =
  /** `again`: it had the claim before and did not release it, so it may be delivered already. */
  | { is: "mine"; again: boolean }
  /** An equal body was delivered; `own`: by this webhook itself, whose end was not recorded. */
  | { is: "sent"; own: boolean }
  /** Another webhook has the claim, for `heldFor` seconds so far; it expires in `freeAfter` seconds at the latest. */
  | { is: "taken"; heldFor: number; freeAfter: number };

/** The state of webhooks in the state table. All methods throw `dependency-failed`. */
export interface WebhookStore {
  /** In the order of the argument. */
  read(asked: { identity: string; off: string }[]): Promise<Known[]>;
  done(identity: string): Promise<void>;
  switchOff(off: string, facts: { apiId: string; entry: string; at: string }): Promise<void>;
  /**
   * `cooldown`: the key of equal bodies. A claim is valid for the given number of seconds. Its own webhook, of which
   * there may be two copies, can take it over after `requestSeconds`, when its request has certainly ended.
   */
  claim(
    cooldown: string,
    identity: string,
    times: { requestSeconds: number; leaseSeconds: number },
  ): Promise<Claim>;
  /** Begins the cool-down. */
  sent(cooldown: string, identity: string, seconds: number): Promise<void>;
  /** Releases the claim, if it has it and sent nothing. */
  unclaim(cooldown: string, identity: string): Promise<void>;
}

/** Depends on the definition's entry, so that a changed webhook is switched on again. */
export const offKey = (apiId: string, webhook: Webhook & { entry: string }) =>
  hashOf([apiId, JSON.stringify(webhook)]);

/** `table`: the state table; `random` from 0 to 1. */
export function createWebhookStore(deps: {
  dynamo: Pick<DynamoDBClient, "send">;
  table: string;
  /** How long a webhook is remembered as done: as long as events. */
  ttlSeconds: number;
  /** In ms since 1970. */
  now: () => number;
  random: () => number;
}): WebhookStore {
  const { dynamo, table: TableName } = deps;
  const seconds = () => Math.floor(deps.now() / 1000);

  const put = (item: object) => {
    const command = new PutItemCommand({ TableName, Item: toAttributes(item) });
    return trying("PutItem", () => dynamo.send(command));
  };

  return {
    async read(asked) {
      const keys = new Set(asked.flatMap(({ identity, off }) => [doneKey(identity), webhookOffKey(off)]));
      const reading = () =>
        batchGet(
          dynamo,
          TableName,
          [...keys].map((pk) => ({ pk })),
          { random: deps.random, consistent: true },
        );
      const items = (await trying("BatchGetItem", reading)).map(fromAttributes);
      const found = new Map(items.map((item) => [item.pk, item]));
      return asked.map(({ identity, off }) => {
        const since = found.get(webhookOffKey(off))?.at;
        return {
          done: found.has(doneKey(identity)),
          ...(since !== undefined && { offSince: String(since) }),
        };
      });
    },
    async done(identity) {
      await put({ pk: doneKey(identity), ttl: seconds() + deps.ttlSeconds });
    },
    async switchOff(off, { apiId, entry, at }) {
      await put({ pk: webhookOffKey(off), api_id: apiId, entry, at });
    },
    async claim(cooldown, identity, { requestSeconds, leaseSeconds }) {
      const by = hashOf([identity]);
      const until = seconds() + leaseSeconds;
      const over = seconds() + requestSeconds;
      const command = new PutItemCommand({
        TableName,
        Item: toAttributes({ pk: webhookCooldownKey(cooldown), by, over, until, ttl: until }),
        ConditionExpression:
          "attribute_not_exists(pk) OR #until <= :now OR (#by = :by AND #over <= :now AND attribute_not_exists(#sent))",
        ExpressionAttributeNames: { "#until": "until", "#by": "by", "#over": "over", "#sent": "sent" },
        ExpressionAttributeValues: toAttributes({ ":now": seconds(), ":by": by }),
        ReturnValues: "ALL_OLD",
        ReturnValuesOnConditionCheckFailure: "ALL_OLD",
      });
      try {
        const { Attributes } = await dynamo.send(command);
        return { is: "mine", again: Attributes?.by?.S === by };
      } catch (thrown) {
        const { name, Item } = thrown as { name?: string; Item?: Parameters<typeof fromAttributes>[0] };
        if (name !== "ConditionalCheckFailedException" || !Item) throw dependencyFailed("PutItem", thrown);
        const held = fromAttributes(Item) as { by: string; over: number; until: number; sent?: boolean };
        const isOwn = held.by === by;
        if (held.sent) return { is: "sent", own: isOwn };
        return {
          is: "taken",
          heldFor: seconds() + requestSeconds - held.over,
          freeAfter: Math.max(1, (isOwn ? held.over : held.until) - seconds()),
        };
      }
    },
    async sent(cooldown, identity, cooldownSeconds) {
      const until = seconds() + cooldownSeconds;
      await put({ pk: webhookCooldownKey(cooldown), by: hashOf([identity]), sent: true, until, ttl: until });
    },
    async unclaim(cooldown, identity) {
      const command = new DeleteItemCommand({
        TableName,
        Key: toAttributes({ pk: webhookCooldownKey(cooldown) }),
        ConditionExpression: "#by = :by AND attribute_not_exists(#sent)",
        ExpressionAttributeNames: { "#by": "by", "#sent": "sent" },
        ExpressionAttributeValues: toAttributes({ ":by": hashOf([identity]) }),
      });
      try {
        await dynamo.send(command);
      } catch (thrown) {
        // The claim had expired, and another webhook has it.
        if ((thrown as Error).name !== "ConditionalCheckFailedException")
          throw dependencyFailed("DeleteItem", thrown);
      }
    },
  };
}

const hashOf = (parts: string[]) => createHash("sha256").update(JSON.stringify(parts)).digest("base64url");

const doneKey = (identity: string) => webhookDoneKey(hashOf([identity]));

async function trying<T>(action: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (thrown) {
    throw dependencyFailed(action, thrown);
  }
}
