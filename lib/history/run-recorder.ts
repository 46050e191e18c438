import type { RunHost } from "../consumer/host.ts";
import type { EventOutcome } from "../consumer/outcome.ts";
import type { Outcome, Run, RunUsed } from "../runtime/protocol.ts";
import { type Session, showSession } from "../sessions/session.ts";
import type { CallRecord, LogRecord, RunRecord, WriteRecord } from "./records.ts";

/** Sees what one run does. */
export interface RunRecorder {
  /** The host that the run is to use in place of this one. */
  around(host: RunHost): RunHost;
  /** A session was changed; undefined for one that is not there. */
  wrote(key: string, before: Session | undefined, after: Session | undefined): void;
  /** The session of a key was found under another name. */
  named(key: string, name: string): void;
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

export function createRunRecorder(run: Run, path: string, batch: Room, now: () => number): RunRecorder {
  const calls: CallRecord[] = [];
  const logs: LogRecord[] = [];
  const writes: (Omit<WriteRecord, "before" | "after"> & { before?: Session; after?: Session })[] = [];
  const names = new Map<string, string>();
  let room = RUN_CHARS;
  let cut = false;
  let next = 0;
  let started = performance.now();
  let began = now();
  let used: RunUsed | undefined;
  /** The one that is being answered: a run makes one after the other. */
  let serving: CallRecord | undefined;
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

  const ofCall = () => serving && { call: serving.i };

  function answered(call: CallRecord, since: number, answer: string | undefined): void {
    call.ms = tenths(performance.now() - since);
    if (answer !== undefined) call.answer = keep(answer);
  }

  /** The answer of the first call that fails on our side is what fails the run. */
  function noteFailure(call: CallRecord, { failure }: RunHost): void {
    if (failure) call.failure = { code: failure.code, error: keep(failure.message) };
  }

  return {
    around: (host) => ({
      log(level, text) {
        logs.push({ i: number(), level, text: keep(text), ...ofCall() });
        host.log(level, text);
      },
      begin() {
        started = performance.now();
        began = now();
        host.begin?.(began);
      },
      used(taken) {
        used = taken;
      },
      gave(key, apiId) {
        const t = tenths(performance.now() - started);
        const [, given = ""] = run.sessions?.find(([name]) => name === key) ?? [];
        const [i, args, answer] = [number(), [key, apiId].map(keep), keep(given)];
        calls.push({ i, name: "getKeyData", args, answer, t, ms: 0, given: true });
        host.gave?.(key, apiId);
      },
      async call(name, args, scope) {
        const after = tenths(scope.after);
        const call: CallRecord = { i: number(), name, args: args.map(keep), t: after, ms: 0 };
        calls.push(call);
        const since = performance.now();
        const hadFailed = host.failure !== undefined;
        serving = call;
        // Counted from the time that is recorded, so that a rerun counts the same.
        const answer = await host.call(name, args, {
          ...scope,
          after,
          admit(requests) {
            call.requests = requests;
            return scope.admit(requests);
          },
        });
        serving = undefined;
        // An answer that comes when its run is over was not given to it.
        if (over) return answer;
        answered(call, since, answer);
        if (!hadFailed) noteFailure(call, host);
        return answer;
      },
      get failure() {
        return host.failure;
      },
      stuckFor: host.stuckFor,
    }),
    wrote: (key, before, after) =>
      void writes.push({ i: number(), key, ...(before && { before }), ...(after && { after }), ...ofCall() }),
    named: (key, name) => void names.set(key, name),
    ended(outcome, end) {
      over = { outcome, end };
    },
    record() {
      if (!over) return undefined;
      const { outcome, end } = over;
      const written = writes.map(
        ({ key, before, after, ...write }): WriteRecord => ({
          ...write,
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
        began,
        ms: tenths(outcome.ms),
        ...endOf(end, keep),
        ...(!outcome.ok && { sandbox: outcome.sandbox }),
        calls,
        logs,
        writes: written,
        ...(names.size > 0 && { names: Object.fromEntries(names) }),
        ...(used && { used }),
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
