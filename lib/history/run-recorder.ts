import type { EventOutcome } from "../consumer/outcome.ts";
import type { AppError } from "../errors.ts";
import type { CallScope } from "../runtime/host.ts";
import type { HostCallName, LogLevel, Outcome, Run, RunUsed } from "../runtime/protocol.ts";
import { type Session, showSession } from "../sessions/session.ts";
import { tenths } from "../tenths.ts";
import type { RunHost } from "../tyk-api/host.ts";
import type { CallRecord, LogRecord, RunRecord, WriteRecord } from "./records.ts";

/** Records the actions of one run. */
export interface RunRecorder {
  /** Returns the host that the run must use in place of `host`. */
  around(host: RunHost): RunHost;
  /** A session was changed; undefined for a missing session. */
  wrote(key: string, before: Session | undefined, after: Session | undefined): void;
  /** The session of a key was found under another name. */
  named(key: string, name: string): void;
  /** `outcome`: the runtime's result; `end`: the result for the event. */
  ended(outcome: Outcome, end: EventOutcome): void;
  /** Undefined if it did not end. */
  record(): RunRecord | undefined;
}

/** The number of characters that may still be kept. */
export interface Room {
  left: number;
}

/** The maximum text in the record of one run, in UTF-16 units. */
export const RUN_CHARS = 1_000_000;

/** `batch`: the room that all runs of a batch share. */
export const createRunRecorder = (run: Run, path: string, batch: Room, now: () => number): RunRecorder =>
  new Recording(run, path, batch, now);

interface Change {
  i: number;
  key: string;
  before: Session | undefined;
  after: Session | undefined;
  call: number | undefined;
}

/**
 * A class, like the host below: with a closure for each function, recording a run costs twice as much (`npm run
 * bench:history`).
 */
class Recording implements RunRecorder {
  readonly #run: Run;
  readonly #path: string;
  readonly #batch: Room;
  readonly now: () => number;
  readonly #calls: CallRecord[] = [];
  readonly #logs: LogRecord[] = [];
  readonly #writes: Change[] = [];
  #names: Map<string, string> | undefined;
  #room = RUN_CHARS;
  #cut = false;
  #next = 0;
  began: number;
  taken: RunUsed | undefined;
  /** The call in progress: a run makes one call after the other. */
  #serving: CallRecord | undefined;
  #over: { outcome: Outcome; end: EventOutcome } | undefined;

  constructor(run: Run, path: string, batch: Room, now: () => number) {
    this.#run = run;
    this.#path = path;
    this.#batch = batch;
    this.now = now;
    this.began = now();
  }

  keep(text: string): string {
    const most = Math.min(this.#room, this.#batch.left);
    const kept = text.length <= most ? text : text.slice(0, most);
    if (kept !== text) this.#cut = true;
    this.#room -= kept.length;
    this.#batch.left -= kept.length;
    return kept;
  }

  #number(): number {
    this.#next += 1;
    return this.#next - 1;
  }

  around(host: RunHost): RunHost {
    return new RecordedHost(host, this);
  }

  logged(level: LogLevel, text: string): void {
    const record: LogRecord = { i: this.#number(), level, text: this.keep(text) };
    if (this.#serving) record.call = this.#serving.i;
    this.#logs.push(record);
  }

  gave(key: string, apiId: string, after: number): void {
    const t = tenths(after);
    const [, given = ""] = this.#run.sessions?.find(([name]) => name === key) ?? [];
    const [i, args, answer] = [this.#number(), [this.keep(key), this.keep(apiId)], this.keep(given)];
    this.#calls.push({ i, name: "getKeyData", args, answer, t, ms: 0, given: true });
  }

  called(name: HostCallName, args: string[], t: number): CallRecord {
    const call: CallRecord = { i: this.#number(), name, args: args.map((arg) => this.keep(arg)), t, ms: 0 };
    this.#calls.push(call);
    this.#serving = call;
    return call;
  }

  answered(call: CallRecord, since: number, answer: string | undefined): boolean {
    this.#serving = undefined;
    if (this.#over) return false;
    call.ms = tenths(performance.now() - since);
    if (answer !== undefined) call.answer = this.keep(answer);
    return true;
  }

  wrote(key: string, before: Session | undefined, after: Session | undefined): void {
    this.#writes.push({ i: this.#number(), key, before, after, call: this.#serving?.i });
  }

  named(key: string, name: string): void {
    this.#names ??= new Map();
    this.#names.set(key, name);
  }

  ended(outcome: Outcome, end: EventOutcome): void {
    this.#over = { outcome, end };
  }

  record(): RunRecord | undefined {
    if (!this.#over) return undefined;
    const { outcome, end } = this.#over;
    const record: RunRecord = {
      handler: this.#run.handler,
      path: this.#path,
      context: JSON.parse(this.#run.context),
      timeout_ms: this.#run.timeoutMs,
      began: this.began,
      ms: tenths(outcome.ms),
      outcome: end.is === "failed" || end.is === "done" ? end.is : "conflicted",
      calls: this.#calls,
      logs: this.#logs,
      writes: this.#writes.map((each) => this.#writeRecord(each)),
    };
    if (end.is === "failed") {
      record.reason = end.failure.reason;
      record.error = this.keep(end.failure.error);
    }
    if (!outcome.ok) record.sandbox = outcome.sandbox;
    if (this.#names) record.names = Object.fromEntries(this.#names);
    if (this.taken) record.used = this.taken;
    if (this.#cut) record.cut = true;
    return record;
  }

  #writeRecord({ i, key, before, after, call }: Change): WriteRecord {
    const record: WriteRecord = {
      i,
      key: this.keep(key),
      before: this.#textOf(before),
      after: this.#textOf(after),
    };
    if (call !== undefined) record.call = call;
    return record;
  }

  #textOf(session: Session | undefined): string | null {
    if (!session) return null;
    try {
      return this.keep(showSession(session));
    } catch {
      return null; // It is invalid after a manual edit, and has no text. The run that reads it fails.
    }
  }
}

class RecordedHost implements RunHost {
  readonly #host: RunHost;
  readonly #of: Recording;

  constructor(host: RunHost, of: Recording) {
    this.#host = host;
    this.#of = of;
  }

  log(level: LogLevel, text: string): void {
    this.#of.logged(level, text);
    this.#host.log(level, text);
  }

  begin(): void {
    this.#of.began = this.#of.now();
    this.#host.begin?.(this.#of.began);
  }

  used(taken: RunUsed): void {
    this.#of.taken = taken;
  }

  gave(key: string, apiId: string, after: number): void {
    this.#of.gave(key, apiId, after);
    this.#host.gave?.(key, apiId, after);
  }

  async call(name: HostCallName, args: string[], scope: CallScope): Promise<string | undefined> {
    const after = tenths(scope.after);
    const call = this.#of.called(name, args, after);
    const since = performance.now();
    const hadFailed = this.#host.failure !== undefined;
    // Computed from the recorded time, so that a rerun computes the same.
    const answer = await this.#host.call(name, args, {
      ...scope,
      after,
      admit(requests) {
        call.requests = requests;
        return scope.admit(requests);
      },
    });
    const { failure } = this.#host;
    // An answer that arrives after the end of its run was not passed to it.
    if (this.#of.answered(call, since, answer) && !hadFailed && failure)
      call.failure = { code: failure.code, error: this.#of.keep(failure.message) };
    return answer;
  }

  get failure(): AppError | undefined {
    return this.#host.failure;
  }

  stuckFor(ms: number): HostCallName | undefined {
    return this.#host.stuckFor(ms);
  }
}
