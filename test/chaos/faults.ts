import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { crc32 } from "node:zlib";
import { between, createDeck, pick, type Random } from "../helpers/random.ts";
import type { Answer, Call, Forward, Outcome, Step } from "./proxy.ts";

type Inflict = (call: Call, forward: Forward, random: Random) => Promise<Outcome>;

interface Fault {
  /** The only operation with this fault; any operation if undefined. */
  operation?: string;
  inflict: Inflict;
}

/** The faults of DynamoDB and of the network for a call, by name. */
const FAULTS = {
  throttled: { inflict: refuse(400, "com.amazon.coral.availability#ThrottlingException") },
  "throughput-exceeded": {
    inflict: refuse(400, "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException"),
  },
  "server-error": { inflict: refuse(500, "com.amazonaws.dynamodb.v20120810#InternalServerError") },
  "request-lost": { inflict: async () => "cut" },
  /** The client has given up and retried long before this call arrives. */
  "request-late": {
    inflict: async (_, forward, random) => {
      forward({ afterMs: between(random, 50, 1_500) }).catch(() => {});
      return "cut";
    },
  },
  "answer-lost": {
    inflict: async (_, forward) => {
      await forward();
      return "cut";
    },
  },
  /** A timeout: the call has taken effect, but is not answered. */
  "answer-held": {
    inflict: async (_, forward, random) => {
      await forward();
      await delay(between(random, 200, 4_000));
      return "cut";
    },
  },
  "transaction-in-progress": {
    operation: "TransactWriteItems",
    inflict: refuse(400, "com.amazonaws.dynamodb.v20120810#TransactionInProgressException"),
  },
  "transaction-cancelled": { operation: "TransactWriteItems", inflict: cancel },
  "entry-in-transaction": {
    operation: "PutItem",
    inflict: refuse(400, "com.amazonaws.dynamodb.v20120810#TransactionConflictException"),
  },
  "statements-refused": { operation: "BatchExecuteStatement", inflict: refuseStatements },
  "keys-unprocessed": { operation: "BatchGetItem", inflict: leaveUnprocessed },
} as const satisfies Record<string, Fault>;

export type FaultKind = keyof typeof FAULTS;
export const FAULT_KINDS = Object.keys(FAULTS) as [FaultKind, ...FaultKind[]];

/** A batch reads more often than it commits. */
const READS_RATE = 0.25;
const WRITES = new Set(["TransactWriteItems", "PutItem", "BatchExecuteStatement"]);

/** Injects a fault into one of `1 / rate` commits, and into fewer of the other calls; each kind in turn. */
export function createFaults(deps: {
  rate: number;
  random: Random;
  onFault: (kind: FaultKind) => void;
}): Step {
  const { rate, random } = deps;
  const decks = new Map<string, { next: () => FaultKind; until: number }>();
  const pause = (operation: string) => {
    const share = WRITES.has(operation) ? rate : rate * READS_RATE;
    return between(random, 0, 2 / share - 2);
  };

  function deckOf(operation: string) {
    const known = decks.get(operation);
    if (known) return known;
    const onlyOf = (kind: FaultKind) => (FAULTS[kind] as Fault).operation;
    const kinds = FAULT_KINDS.filter((kind) => (onlyOf(kind) ?? operation) === operation);
    // Faults for only this operation come first, so that each kind gets its turn even with few calls.
    const own = kinds.filter((kind) => onlyOf(kind) === operation);
    const any = createDeck(random, kinds as [FaultKind]);
    const deck = { next: () => own.shift() ?? any(), until: pause(operation) };
    decks.set(operation, deck);
    return deck;
  }

  return async (call, forward) => {
    const deck = deckOf(call.operation);
    deck.until -= 1;
    if (rate === 0 || deck.until >= 0) return forward();
    deck.until = pause(call.operation);
    const kind = deck.next();
    deps.onFault(kind);
    return FAULTS[kind].inflict(call, forward, random);
  };
}

function refuse(status: number, type: string): Inflict {
  return async () => answer(status, { __type: type, message: "injected" });
}

/** Cancelled temporarily: other transactions on some of the items, or not enough capacity. */
async function cancel(call: Call, _: Forward, random: Random): Promise<Answer> {
  const { TransactItems } = JSON.parse(call.body) as { TransactItems: unknown[] };
  const at = Math.floor(random() * TransactItems.length);
  const reasons = TransactItems.map((_, index) =>
    index === at || random() < 0.2
      ? { Code: pick(random, PASSING_REASONS), Message: "injected" }
      : { Code: "None" },
  );
  return answer(400, {
    __type: "com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
    Message: `Transaction cancelled, please refer cancellation reasons for specific reasons [${reasons.map(({ Code }) => Code).join(", ")}]`,
    CancellationReasons: reasons,
  });
}

const PASSING_REASONS = ["TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"] as const;

/** Some statements are not run; the others are. */
async function refuseStatements(call: Call, forward: Forward, random: Random): Promise<Outcome> {
  const { Statements, ...rest } = JSON.parse(call.body) as { Statements: unknown[] };
  const isRun = Statements.map(() => random() < 0.5);
  const run = Statements.filter((_, at) => isRun[at]);
  const given =
    run.length > 0
      ? await forward({ body: JSON.stringify({ ...rest, Statements: run }) })
      : answer(200, { Responses: [] });
  if (given === "cut" || given.status !== 200) return given;
  const { Responses } = JSON.parse(given.body) as { Responses: object[] };
  const refused = () => ({ Error: { Code: pick(random, STATEMENT_ERRORS), Message: "injected" } });
  return answer(200, { Responses: isRun.map((wasRun) => (wasRun ? Responses.shift() : refused())) });
}

const STATEMENT_ERRORS = ["TransactionConflict", "ThrottlingError", "InternalServerError"] as const;

type Keys = Record<string, { Keys: unknown[] }>;

/** Some keys are answered, the others are returned as unprocessed, as DynamoDB does without enough capacity. */
async function leaveUnprocessed(call: Call, forward: Forward, random: Random): Promise<Outcome> {
  const body = JSON.parse(call.body) as { RequestItems: Keys };
  const asked: Keys = {};
  const left: Keys = {};
  for (const [table, request] of Object.entries(body.RequestItems)) {
    const taken = request.Keys.map(() => random() < 0.5);
    if (taken.includes(true)) asked[table] = { ...request, Keys: request.Keys.filter((_, at) => taken[at]) };
    if (taken.includes(false)) left[table] = { ...request, Keys: request.Keys.filter((_, at) => !taken[at]) };
  }
  if (Object.keys(asked).length === 0) return answer(200, { Responses: {}, UnprocessedKeys: left });
  const given = await forward({ body: JSON.stringify({ ...body, RequestItems: asked }) });
  if (given === "cut" || given.status !== 200) return given;
  return answer(200, { ...JSON.parse(given.body), UnprocessedKeys: left });
}

/** In DynamoDB's wire format. */
export function answer(status: number, content: object): Answer {
  const body = JSON.stringify(content);
  return {
    status,
    headers: {
      "content-type": "application/x-amz-json-1.0",
      "x-amzn-requestid": randomUUID(),
      "x-amz-crc32": String(crc32(body)),
    },
    body,
  };
}
