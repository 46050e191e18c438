import { setTimeout as delay } from "node:timers/promises";
import { webhookDoneKey, windowMarkKey } from "../../lib/dynamo/state-keys.ts";
import { answer } from "./faults.ts";
import {
  type Answer,
  type Call,
  type CommitKind,
  commitKind,
  type Forward,
  type Outcome,
  type Step,
} from "./proxy.ts";

/**
 * Simulates an incorrect consumer between it and its tables, to prove that the chaos detects it. The effects of missing
 * fences need an order of requests that is rare here: test/commit/marks.test.ts and test/commit/marks-schedules.test.ts
 * test it.
 */
export const SABOTAGES = [
  "no-conditions",
  "no-memory",
  "no-writes",
  "no-marks",
  "marks-unproven",
  "webhooks-noted-first",
  "events-recounted",
] as const;
export type Sabotage = (typeof SABOTAGES)[number];

// biome-ignore lint/suspicious/noExplicitAny: DynamoDB's own wire format
type Json = Record<string, any>;

/** The number of first commits that are answered as successful without being written. */
const UNWRITTEN = 5;
const PARTNER_MS = 1_000;

export const createSabotage = (kind: Sabotage): Step => STEPS[kind]();

const atCommits =
  (change: (call: Call, kind: CommitKind, forward: Forward) => Promise<Outcome>): Step =>
  (call, forward) => {
    const kind = commitKind(call);
    return kind ? change(call, kind, forward) : forward();
  };

const STEPS: Record<Sabotage, () => Step> = {
  "no-conditions"() {
    const meet = createMeeting();
    return atCommits(async (call, _, forward) => {
      // The conditions matter only if two consumers have read before either of them writes.
      await meet();
      return forward({ body: changed(call, withoutCondition) });
    });
  },
  "no-memory": () =>
    atCommits((call, kind, forward) =>
      forward(kind === "session" ? {} : { body: changed(call, withoutMemory) }),
    ),
  "no-writes"() {
    let commits = 0;
    return atCommits(async (call, _, forward) => {
      commits += 1;
      if (commits > UNWRITTEN) return forward();
      const { Statements = [] } = JSON.parse(call.body) as { Statements?: unknown[] };
      return answer(200, { Responses: Statements.map(() => ({})) });
    });
  },
  "no-marks": () =>
    atCommits((call, _, forward) => forward({ body: changed(call, (put) => withMarks(put, () => ({}))) })),
  "marks-unproven"() {
    const seen = createSeen();
    return async (call, forward) => {
      if (commitKind(call)) return seen.write(call, forward);
      const outcome = await forward();
      seen.read(outcome);
      return outcome;
    };
  },
  /** As if its delivery were noted before its request, and the process had died in between. */
  "webhooks-noted-first": () => async (call, forward) => {
    const outcome = await forward();
    const isRead = call.operation === "BatchGetItem" && outcome !== "cut" && outcome.status === 200;
    return isRead ? withWebhooksDone(call, outcome) : outcome;
  },
  /** As if the counted events were not noted: an event that is run again is counted again. */
  "events-recounted": () =>
    atCommits((call, _, forward) =>
      forward({ body: changed(call, (put) => (isCounted(put) ? withoutCondition(put) : put)) }),
    ),
};

/** The answer of a read, with an item for each requested webhook. */
function withWebhooksDone(call: Call, { body }: Answer): Answer {
  const { RequestItems } = JSON.parse(call.body) as { RequestItems: Record<string, { Keys: Json[] }> };
  const { Responses, ...rest } = JSON.parse(body) as { Responses: Record<string, Json[]> };
  const done = Object.entries(RequestItems).map(([table, { Keys }]) => {
    const asked = Keys.filter(({ pk }) => pk?.S.startsWith(webhookDoneKey("")));
    return [table, [...(Responses[table] ?? []), ...asked]];
  });
  return answer(200, { ...rest, Responses: { ...Responses, ...Object.fromEntries(done) } });
}

/** Resolves when another caller calls it too, or after `PARTNER_MS`. */
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

/** The marks of sessions that were read: they are removed at the next write, as if their age were a proof. */
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

/** A put of any form: in a transaction, by itself, or as a statement with parameters. */
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

/** Whether it notes that an event is counted in a window. */
const isCounted = ({ item }: Put) => Boolean(item.pk?.S?.startsWith(windowMarkKey("")));

const withoutCondition = ({ item }: Put): Put => ({ item, isConditional: false });

const withMarks = (put: Put, change: (marks: Json) => Json): Put =>
  put.item.marks ? { ...put, item: { ...put.item, marks: { M: change(put.item.marks.M) } } } : put;
