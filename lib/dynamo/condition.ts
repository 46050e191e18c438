import type { Attributes } from "./attributes.ts";

/** The condition under which a write replaces only the version that was read. */
export interface Condition {
  ConditionExpression: string;
  ExpressionAttributeNames: Record<string, string>;
  ExpressionAttributeValues?: Attributes;
}

/** `read`: the item's version; 0 or less if there was no item. */
export const condition = (read: number): Condition => ({
  ExpressionAttributeNames: { "#version": "version" },
  ...(read <= 0
    ? { ConditionExpression: "attribute_not_exists(#version)" }
    : {
        ConditionExpression: "#version = :read",
        ExpressionAttributeValues: { ":read": { N: String(read) } },
      }),
});
