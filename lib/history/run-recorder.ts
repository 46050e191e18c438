import type { RunHost } from "../consumer/host.ts";
import type { EventOutcome } from "../consumer/outcome.ts";
import type { Outcome, Run } from "../runtime/protocol.ts";
import { type Session, showSession } from "../sessions/session.ts";
import type { CallRecord, LogRecord, RunRecord, WriteRecord } from "./records.ts";

/** Sees what one run does. */
export interface RunRecorder {
  /** The host that the run is to use in place of this one. */
  around(host: RunHost): RunHost;
  /** A session was changed; undefined for one that is not there. */
  wrote(key: string, before: Session | undefined, after: Session | undefined): void;
  /** `outcome`: as the runtime has it; `end`: what it came to. */
  ended(outcome: Outcome, end: EventOutcome): void;
  /** Undefined when it did not end. */
  record(): RunRecord | undefined;
}

/** Characters of text that may still be kept. */
export interface Room {
  left: number;
}

export const RUN_CHARS = 1_000_000;

export const tenths = (ms: number) => Math.round(ms * 10) / 10;

export function createRunRecorder(run: Run, path: string, batch: Room): RunRecorder {
  const calls: CallRecord[] = [];
  const logs: LogRecord[] = [];
  const writes: { i: number; key: string; before: Session | undefined; after: Session | undefined }[] = [];
  let room = RUN_CHARS;
  let cut = false;
  let next = 0;
  let started = performance.now();
  let over: { outcome: Outcome; end: EventOutcome } | undefined;

  function keep(text: string): string {
    const most = Math.min(room, batch.left);
    const kept = text.length <= most ? text : text.slice(0, most);
    if (kept !== text) cut = true;
    room -= kept.length;
    batch.left -= kept.length;
    return kept;
  }

  const number = () => {
    next += 1;
    return next - 1;
  };

  function answered(call: CallRecord, since: number, answer: string | undefined): void {
    call.ms = tenths(performance.now() - since);
    if (answer !== undefined) call.answer = keep(answer);
  }

  return {
    around: (host) => ({
      log(level, text) {
        logs.push({ i: number(), level, text: keep(text) });
        host.log(level, text);
      },
      begin() {
        started = performance.now();
        host.begin?.();
      },
      gave(key) {
        const t = tenths(performance.now() - started);
        const [, given = ""] = run.sessions?.find(([name]) => name === key) ?? [];
        const answer = keep(given);
        calls.push({ i: number(), name: "getKeyData", args: [keep(key)], answer, t, ms: 0, given: true });
        host.gave?.(key);
      },
      async call(name, args, scope) {
        const call = { i: number(), name, args: args.map(keep), t: tenths(scope.after), ms: 0 };
        calls.push(call);
        const since = performance.now();
        const answer = await host.call(name, args, scope);
        // An answer that comes when its run is over was not given to it.
        if (!over) answered(call, since, answer);
        return answer;
      },
      get failure() {
        return host.failure;
      },
      stuckFor: host.stuckFor,
    }),
    wrote: (key, before, after) => void writes.push({ i: number(), key, before, after }),
    ended(outcome, end) {
      over = { outcome, end };
    },
    record() {
      if (!over) return undefined;
      const { outcome, end } = over;
      const written = writes.map(
        ({ i, key, before, after }): WriteRecord => ({
          i,
          key: keep(key),
          before: textOf(before, keep),
          after: textOf(after, keep),
        }),
      );
      return {
        handler: run.handler,
        path,
        context: JSON.parse(run.context),
        timeout_ms: run.timeoutMs,
        ms: tenths(outcome.ms),
        ...endOf(end, keep),
        ...(!outcome.ok && { sandbox: outcome.sandbox }),
        calls,
        logs,
        writes: written,
        ...(cut && { cut }),
      };
    },
  };
}

function endOf(end: EventOutcome, keep: (text: string) => string) {
  if (end.is !== "failed") return { outcome: end.is === "done" ? "done" : "conflicted" } as const;
  return { outcome: "failed", reason: end.failure.reason, error: keep(end.failure.error) } as const;
}

function textOf(session: Session | undefined, keep: (text: string) => string): string | null {
  if (!session) return null;
  try {
    return keep(showSession(session));
  } catch {
    return null; // Edited by hand to what is not a session: the script was told so.
  }
}
