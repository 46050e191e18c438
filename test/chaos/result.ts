import type { Accounts } from "./accounts.ts";
import { type Audit, countsOf } from "./audit.ts";
import type { FaultKind } from "./faults.ts";
import type { HookAudit, Line } from "./hooks.ts";
import type { KillKind, Kills } from "./kills.ts";
import type { People } from "./people.ts";
import type { AnswerKind, Receiver } from "./receiver.ts";
import { sum, type Tally } from "./tally.ts";

export interface ChaosResult {
  events: number;
  kills: number;
  faults: number;
  duplicates_delivered: number;
  lost: number;
  doubled: number;
  lost_updates: number;
  /** Events in the dead letters. */
  dlq: number;
  conflicts: number;
  seconds: number;
  seed: number;
  consumers: number;
  /** Events in the dead letters that could succeed, or with a wrong reason. */
  misplaced: number;
  /** In FIFO queues: events that took effect before an earlier one of their key. */
  misordered: number;
  /** Messages that were still in the queue at the end. */
  unacknowledged: number;
  /** Events whose webhook was not taken by its target. */
  webhooks_lost: number;
  /** Requests with another `webhook-id` than before, with that of another webhook, or with a wrong body or signature. */
  webhooks_wrong: number;
  /** Events without the line of their log handler. */
  lines_lost: number;
  /** Handlers and keys whose windows do not count as many events as were sent. */
  windows_miscounted: number;
  /** Windows that had a run. */
  windows: number;
  largest_window: number;
  /** Lines of log handlers. */
  lines: number;
  /** The target's reactions to the webhooks. */
  webhooks_by_answer: Record<AnswerKind, number>;
  /** Sessions that people put and deleted with the API meanwhile. */
  api_puts: number;
  api_deletes: number;
  workers_killed: number;
  /** Dead letters, of which an event may have several. */
  letters_by_reason: Record<string, number>;
  kills_by_kind: Record<KillKind, number>;
  faults_by_kind: Record<FaultKind, number>;
  failed_invocations: string[];
  /** One line for each event with an error: empty on success. */
  troubles: string[];
}

interface Parts {
  seed: number;
  consumers: number;
  ms: number;
  found: Audit;
  hooks: HookAudit;
  unacknowledged: number;
  accounts: Accounts;
  people: People;
  kills: Kills;
  tally: Tally;
  receiver: Receiver;
  lines: Line[];
}

export function resultOf(parts: Parts): ChaosResult {
  const { found, hooks, accounts, kills, tally } = parts;
  return {
    events: accounts.sent,
    kills: sum(kills.byKind),
    faults: sum(tally.faults),
    duplicates_delivered: accounts.duplicates,
    lost: found.lost.length,
    doubled: found.doubled.length,
    lost_updates: found.lostUpdates.length,
    dlq: accounts.reasons.size,
    conflicts: tally.conflicts,
    seconds: Math.round(parts.ms / 100) / 10,
    seed: parts.seed,
    consumers: parts.consumers,
    misplaced: found.misplaced.length,
    misordered: found.misordered.length,
    unacknowledged: parts.unacknowledged,
    webhooks_lost: hooks.webhooksLost.length,
    webhooks_wrong: hooks.webhooksWrong.length,
    lines_lost: hooks.linesLost.length,
    windows_miscounted: hooks.miscounted.length,
    windows: hooks.windows.length,
    largest_window: Math.max(0, ...hooks.windows),
    lines: parts.lines.length,
    webhooks_by_answer: parts.receiver.byAnswer,
    api_puts: parts.people.puts,
    api_deletes: parts.people.deletes,
    workers_killed: tally.workersKilled,
    letters_by_reason: Object.fromEntries(countsOf([...accounts.reasons.values()].flat())),
    kills_by_kind: kills.byKind,
    faults_by_kind: tally.faults,
    failed_invocations: tally.failedInvocations,
    troubles: troublesOf(parts),
  };
}

function troublesOf({ found, hooks, unacknowledged, accounts }: Parts): string[] {
  const lines = (what: string, ids: string[]) => ids.map((id) => `${what} ${id}: ${accounts.lastFacts(id)}`);
  const letters = (id: string) => accounts.reasons.get(id)?.join(", ");
  return [
    ...lines("lost", found.lost),
    ...lines("doubled", found.doubled),
    ...lines("update lost of", found.lostUpdates),
    ...lines("out of order", found.misordered),
    ...found.misplaced.map((id) => `misplaced ${id}: dead letter for ${letters(id)}`),
    ...lines("webhook lost of", hooks.webhooksLost),
    ...hooks.webhooksWrong.map((name) => `webhook ${name} is not what it must be`),
    ...lines("line lost of", hooks.linesLost),
    ...hooks.miscounted.map((group) => `windows of ${group} events`),
    ...(unacknowledged > 0 ? [`${unacknowledged} messages are still in the queue`] : []),
  ];
}
