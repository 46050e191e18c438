import type { Attributes } from "./attributes.ts";

/** By which a write takes the place of the version that was read, and of no other. */
export interface Condition {
  ConditionExpression: string;
  ExpressionAttributeNames: Record<string, string>;
  ExpressionAttributeValues?: Attributes;
}

/** `read`: the item's version; 0 or less where there was no item. */
export const condition = (read: number): Condition => ({
  ExpressionAttributeNames: { "#version": "version" },
  ...(read <= 0
    ? { ConditionExpression: "attribute_not_exists(#version)" }
    : {
        ConditionExpression: "#version = :read",
        ExpressionAttributeValues: { ":read": { N: String(read) } },
      }),
});
