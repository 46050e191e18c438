import { setTimeout as delay } from "node:timers/promises";
import { answer } from "./faults.ts";
import { type Call, type CommitKind, commitKind, type Forward, type Outcome, type Step } from "./proxy.ts";

/**
 * A consumer as it must not be, made between it and its tables, to prove that the chaos finds it out. One without fences
 * needs an order of requests that is rare here: test/marks.test.ts and test/marks-schedules.test.ts have it.
 */
export const SABOTAGES = ["no-conditions", "no-memory", "no-writes", "no-marks", "marks-unproven"] as const;
export type Sabotage = (typeof SABOTAGES)[number];

// biome-ignore lint/suspicious/noExplicitAny: DynamoDB's own wire format
type Json = Record<string, any>;

/** The first commits are told to have been made. */
const UNWRITTEN = 5;
const PARTNER_MS = 1_000;

type Change = (call: Call, kind: CommitKind, forward: Forward) => Promise<Outcome>;

export function createSabotage(kind: Sabotage | undefined): Step {
  if (!kind) return (_, forward) => forward();
  const change = CHANGES[kind]();
  const seen = kind === "marks-unproven" ? createSeen() : undefined;
  return async (call, forward) => {
    const what = commitKind(call);
    if (what) return seen ? seen.write(call, forward) : change(call, what, forward);
    const outcome = await forward();
    seen?.read(outcome);
    return outcome;
  };
}

const CHANGES: Record<Sabotage, () => Change> = {
  "no-conditions"() {
    const meet = createMeeting();
    return async (call, _, forward) => {
      // What conditions prevent happens only where two consumers have read before either of them writes.
      await meet();
      return forward({ body: changed(call, withoutCondition) });
    };
  },
  "no-memory": () => (call, kind, forward) =>
    forward(kind === "session" ? {} : { body: changed(call, withoutMemory) }),
  "no-writes"() {
    let commits = 0;
    return async (call, _, forward) => {
      commits += 1;
      if (commits > UNWRITTEN) return forward();
      const { Statements = [] } = JSON.parse(call.body) as { Statements?: unknown[] };
      return answer(200, { Responses: Statements.map(() => ({})) });
    };
  },
  "no-marks": () => (call, _, forward) =>
    forward({ body: changed(call, (put) => withMarks(put, () => ({}))) }),
  "marks-unproven": () => (_call, _kind, forward) => forward(),
};

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

/** The marks that sessions were read with: as if age alone proved them, they go at the next write. */
function createSeen() {
  const seen = new Set<string>();
  return {
    read(outcome: Outcome) {
      if (outcome === "cut" || outcome.status !== 200) return;
      const { Responses } = JSON.parse(outcome.body) as { Responses?: Json };
      for (const items of Object.values(Responses ?? {}))
        for (const { marks } of Array.isArray(items) ? items : [])
          for (const identity of Object.keys(marks?.M ?? {})) seen.add(identity);
    },
    write: (call: Call, forward: Forward) =>
      forward({
        body: changed(call, (put) =>
          withMarks(put, (marks) =>
            Object.fromEntries(Object.entries(marks).filter(([identity]) => !seen.has(identity))),
          ),
        ),
      }),
  };
}

/** A put, in whichever form: in a transaction, by itself, or as a statement with its parameters. */
interface Put {
  /** By attribute. */
  item: Json;
  isConditional: boolean;
}

/** The call with each of its puts changed. */
function changed(call: Call, change: (put: Put) => Put): string {
  const body = JSON.parse(call.body) as Json;
  if (body.Statements)
    body.Statements = body.Statements.map((statement: Json) => changedStatement(statement, change));
  else if (body.TransactItems)
    body.TransactItems = body.TransactItems.map((action: Json) =>
      action.Put ? { ...action, Put: changedPut(action.Put, change) } : action,
    );
  else return JSON.stringify(changedPut(body, change));
  return JSON.stringify(body);
}

function changedPut(given: Json, change: (put: Put) => Put): Json {
  const { item, isConditional } = change({ item: given.Item, isConditional: true });
  if (isConditional) return { ...given, Item: item };
  const {
    ConditionExpression: _,
    ExpressionAttributeNames: __,
    ExpressionAttributeValues: ___,
    ReturnValuesOnConditionCheckFailure: ____,
    ...kept
  } = given;
  return { ...kept, Item: item };
}

/** `INSERT … {'name': ?}` or `UPDATE … SET "name" = ? … WHERE "key" = ? AND "version" = ?`. */
function changedStatement({ Statement, Parameters, ...rest }: Json, change: (put: Put) => Put): Json {
  const isInsert = Statement.startsWith("INSERT");
  const places: string[] = [...Statement.matchAll(isInsert ? /'(\w+)': \?/g : /"(\w+)" = \?/g)].map(
    ([, name]) => name,
  );
  const [names, conditions] = isInsert ? [places, []] : [places.slice(0, -2), places.slice(-2)];
  const item = Object.fromEntries(names.map((name, at) => [name, Parameters[at]]));
  const put = change({ item, isConditional: true });
  const values = names.map((name) => put.item[name] ?? { M: {} });
  const asked = conditions.map((_, at) => Parameters[names.length + at]);
  if (put.isConditional || isInsert) return { Statement, Parameters: [...values, ...asked], ...rest };
  return {
    Statement: Statement.replace(' AND "version" = ?', ""),
    Parameters: [...values, ...asked.slice(0, 1)],
  };
}

/** The ledger's entry does not say which handlers are done. */
const withoutMemory = (put: Put): Put =>
  put.item.done ? { ...put, item: { ...put.item, done: { L: [] } } } : put;

const withoutCondition = ({ item }: Put): Put => ({ item, isConditional: false });

const withMarks = (put: Put, change: (marks: Json) => Json): Put =>
  put.item.marks ? { ...put, item: { ...put.item, marks: { M: change(put.item.marks.M) } } } : put;
