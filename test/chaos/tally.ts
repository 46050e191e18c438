import type { LogLine } from "../../cli/dev/log-lines.ts";
import { FAULT_KINDS, type FaultKind } from "./faults.ts";
import type { Step } from "./proxy.ts";

/** The counts of the chaos. */
export interface Tally {
  faults: Record<FaultKind, number>;
  /** Writes that the engine rejected because an item had changed, or was in another transaction. */
  conflicts: number;
  /** Threads that were killed because a handler did not end. */
  workersKilled: number;
  /** Invocations that failed as a whole, except those whose process was killed by the chaos. */
  failedInvocations: string[];
  countConflicts: Step;
  note(fact: LogLine): void;
  fail(error: Error): void;
}

const CONFLICT =
  /"Code":\s*"(ConditionalCheckFailed|DuplicateItem|TransactionConflict)"|#(ConditionalCheckFailed|TransactionConflict)Exception"/;

export function createTally(): Tally {
  const tally: Tally = {
    faults: Object.fromEntries(FAULT_KINDS.map((kind) => [kind, 0])) as Record<FaultKind, number>,
    conflicts: 0,
    workersKilled: 0,
    failedInvocations: [],
    async countConflicts(_, forward) {
      const outcome = await forward();
      if (outcome !== "cut" && CONFLICT.test(outcome.body)) tally.conflicts += 1;
      return outcome;
    },
    note({ message, fields }) {
      if (message === "handler failed" && fields.code === "handler-killed") tally.workersKilled += 1;
    },
    fail({ message }) {
      if (!message.includes("SIGKILL")) tally.failedInvocations.push(message);
    },
  };
  return tally;
}

export const sum = (counts: Record<string, number>) =>
  Object.values(counts).reduce((total, count) => total + count, 0);
