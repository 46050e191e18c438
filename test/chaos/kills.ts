import { setTimeout as delay } from "node:timers/promises";
import { between, createDeck, type Random } from "../helpers/random.ts";
import { commitKind, noteKind, type Step } from "./proxy.ts";

/** The moments of an invocation at which its process is killed. */
export const KILL_KINDS = [
  "any-instant",
  "after-delivery",
  "before-transaction",
  "after-transaction",
  "before-session",
  "after-session",
  "before-entry",
  "after-entry",
  "before-webhook",
  "after-webhook",
  "before-window",
  "after-window",
  "before-acknowledgement",
] as const;
export type KillKind = (typeof KILL_KINDS)[number];

export interface Kills {
  /** Arms the kills that are due when this share of the events has a known result. */
  advance(share: number): void;
  /** True once for each armed kill of this kind: the caller then kills the process. */
  takes(kind: KillKind): boolean;
  /** Kills the n-th process before a commit or note reaches the table, or before the process receives the answer. */
  aroundWrites(nth: number): Step;
  byKind: Record<KillKind, number>;
}

/** The last kills occur while there is still work in progress. */
const LAST_SHARE = 0.8;

export function createKills(deps: {
  count: number;
  random: Random;
  /** Each kills a process; false if it is not running. They may be started later. */
  processes: (() => boolean)[];
}): Kills {
  const { count, random, processes } = deps;
  const kind = createDeck(random, KILL_KINDS);
  const due = Array.from({ length: count }, (_, nth) => ((nth + random()) / count) * LAST_SHARE);
  const armed: KillKind[] = [];
  const byKind = Object.fromEntries(KILL_KINDS.map((name) => [name, 0])) as Record<KillKind, number>;

  async function killAnyone(): Promise<void> {
    for (let killed = false; !killed; ) {
      await delay(between(random, 0, 500), undefined, { ref: false });
      const first = between(random, 0, processes.length - 1);
      killed = [...processes.slice(first), ...processes.slice(0, first)].some((kill) => kill());
    }
    byKind["any-instant"] += 1;
  }

  const kills: Kills = {
    byKind,
    advance(share) {
      while (due.length > 0 && (due[0] ?? 1) <= share) {
        due.shift();
        const next = kind();
        if (next === "any-instant") void killAnyone();
        else armed.push(next);
      }
    },
    takes(wanted) {
      const at = armed.indexOf(wanted);
      if (at < 0) return false;
      armed.splice(at, 1);
      byKind[wanted] += 1;
      return true;
    },
    aroundWrites: (nth) => async (call, forward) => {
      const what = commitKind(call) ?? noteKind(call);
      if (!what) return forward();
      if (kills.takes(`before-${what}`)) {
        processes[nth]?.();
        return "cut";
      }
      const answer = await forward();
      if (answer === "cut" || answer.status !== 200 || !kills.takes(`after-${what}`)) return answer;
      processes[nth]?.();
      return "cut";
    },
  };
  return kills;
}
