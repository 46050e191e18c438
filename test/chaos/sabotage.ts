import { setTimeout as delay } from "node:timers/promises";
import { answer } from "./faults.ts";
import { isCommit, isEntry, type Step } from "./proxy.ts";

/** A consumer as it must not be, made between it and its tables, to prove that the chaos finds it out. */
export const SABOTAGES = ["no-conditions", "no-memory", "no-writes"] as const;
export type Sabotage = (typeof SABOTAGES)[number];

interface Put {
  Item: Record<string, object>;
  ConditionExpression?: string;
  ExpressionAttributeNames?: object;
  ExpressionAttributeValues?: object;
  ReturnValuesOnConditionCheckFailure?: string;
}
interface Transaction {
  TransactItems: { Put: Put }[];
}

/** The first commits are told to have been made. */
const UNWRITTEN = 5;
const PARTNER_MS = 1_000;

export function createSabotage(kind: Sabotage | undefined): Step {
  let commits = 0;
  const meet = createMeeting();
  return async (call, forward) => {
    if (!kind || !isCommit(call)) return forward();
    commits += 1;
    if (kind === "no-writes") return commits <= UNWRITTEN ? answer(200, {}) : forward();
    // What conditions prevent happens only where two consumers have read before either of them writes.
    if (kind === "no-conditions") await meet();
    const change = kind === "no-memory" ? withoutMemory : withoutCondition;
    if (isEntry(call)) return forward({ body: JSON.stringify(change(JSON.parse(call.body) as Put)) });
    const { TransactItems, ...rest } = JSON.parse(call.body) as Transaction;
    const changed = TransactItems.map(({ Put }) => ({ Put: change(Put) }));
    return forward({ body: JSON.stringify({ ...rest, TransactItems: changed }) });
  };
}

/** Ends when somebody else calls it too, or after `PARTNER_MS`. */
function createMeeting(): () => Promise<void> {
  let partner: (() => void) | undefined;
  return async () => {
    if (partner) {
      partner();
      partner = undefined;
      return;
    }
    const met = Promise.withResolvers<void>();
    partner = met.resolve;
    await Promise.race([met.promise, delay(PARTNER_MS)]);
    if (partner === met.resolve) partner = undefined;
  };
}

/** The ledger's entry does not say which handlers are done. */
const withoutMemory = (put: Put): Put =>
  put.Item.done ? { ...put, Item: { ...put.Item, done: { L: [] } } } : put;

function withoutCondition(put: Put): Put {
  const {
    ConditionExpression: _,
    ExpressionAttributeNames: __,
    ExpressionAttributeValues: ___,
    ReturnValuesOnConditionCheckFailure: ____,
    ...kept
  } = put;
  return kept;
}
