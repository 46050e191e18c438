import { answer } from "./faults.ts";
import type { Step } from "./proxy.ts";

/** A consumer as it must not be, made between it and its tables, to prove that the chaos finds it out. */
export const SABOTAGES = ["no-conditions", "no-ledger", "no-writes"] as const;
export type Sabotage = (typeof SABOTAGES)[number];

interface Put {
  TableName: string;
  ConditionExpression?: string;
  ExpressionAttributeNames?: unknown;
  ExpressionAttributeValues?: unknown;
}
interface Transaction {
  TransactItems: { Put: Put }[];
}

/** One commit in so many is told to have been made. */
const UNWRITTEN = 5;

export function createSabotage(kind: Sabotage | undefined): Step {
  let commits = 0;
  return async (call, forward) => {
    if (!kind || call.operation !== "TransactWriteItems") return forward();
    commits += 1;
    if (kind === "no-writes") return commits % UNWRITTEN === 0 ? answer(200, {}) : forward();
    const { TransactItems, ...rest } = JSON.parse(call.body) as Transaction;
    const kept =
      kind === "no-ledger"
        ? TransactItems.filter(({ Put }) => !Put.TableName.endsWith("-state"))
        : TransactItems.map(({ Put }) => ({ Put: unconditional(Put) }));
    if (kept.length === 0) return answer(200, {});
    return forward({ body: JSON.stringify({ ...rest, TransactItems: kept }) });
  };
}

function unconditional(put: Put): Put {
  const {
    ConditionExpression: _,
    ExpressionAttributeNames: __,
    ExpressionAttributeValues: ___,
    ...kept
  } = put;
  return kept;
}
