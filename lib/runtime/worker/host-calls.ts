import { type MessagePort, receiveMessageOnPort } from "node:worker_threads";
import { createCallBudget } from "../call-budget.ts";
import { clockMs } from "../clock.ts";
import { createLogSender } from "../log-budget.ts";
import {
  type CallAnswer,
  type FromWorker,
  type HostCallName,
  isSessionCall,
  type Limits,
  type LogLevel,
  type Operation,
  type Run,
} from "../protocol.ts";
import type { UnsentLog } from "../unsent-log.ts";
import type { HostAnswer, HostCall } from "./host-function.ts";
import { decodeBase64, encodeBase64 } from "./jsvm/base64.ts";

/** The worker's side of host calls. */
export interface HostCalls {
  call: HostCall;
  /** Starts a new run, or the loading of scripts, during which only logs and calls without I/O are answered. */
  begin(phase: { loading: true } | { loading: false; deadline: number; run: Run }): void;
}

/** Additional functions for the worker. */
export interface WorkerCalls extends HostCalls {
  /** A message with runs begins: sessions that are written from now on differ from those that were sent with it. */
  beginMessage(): void;
  /** The operations of the current run since the last message. */
  takeOperations(): Operation[];
  /** True if the current run has called the main thread. */
  readonly asked: boolean;
}

/** The worker's connections to the main thread. */
export interface HostCallDeps {
  limits: Limits;
  post(message: FromWorker): void;
  /** Delivers the answers that `answered` counts. */
  answers: MessagePort;
  answered: Int32Array;
  unsentLog: UnsentLog;
  /** Sends the ends of earlier runs: the main thread's work for them must not be repeated. */
  flushEnds(): void;
}

/** Calls that need no I/O; the answer is JSON, since a plain string would end at its first NUL. */
const LOCAL = new Map<string, (text: string) => string | undefined>([
  ["b64enc", (text) => encodeBase64(text, true)],
  ["rawb64enc", (text) => encodeBase64(text, false)],
  ["b64dec", (text) => decodeBase64(text, true) ?? decodeBase64(text, false)],
  ["rawb64dec", (text) => decodeBase64(text, false)],
]);

/** How long the lines of a run may wait for its end, in ms, since a user may be watching the log. */
const TELL_MS = 4;

/** The limit of sessions that a run may set before the main thread has received them, in UTF-16 units. */
const UNTAKEN_CHARS = 256 * 1024;

const text = (value: string | undefined): HostAnswer => ({ text: value });

/**
 * One for each worker, for all of its sandboxes. A call to the main thread blocks this thread until the answer or the
 * deadline of the run.
 */
export function createHostCalls(deps: HostCallDeps): WorkerCalls {
  const { limits, post, answers, answered, unsentLog } = deps;
  let deadline: number | undefined;
  let id = 0;
  let log = createLogSender(limits, logLoading);
  let budget = createCallBudget(limits);
  let operations: Operation[] = [];
  let untaken = 0;
  let toldAt = 0;
  let asked = false;
  let sessions = new Map<string, string>();
  /** For the run: keys that were read from the main thread, which may have found another key's session. */
  let found = new Set<string>();
  /** For the message: keys whose session differs from the one that was sent with its runs, or all keys. */
  let written = new Set<string>();
  let allWritten = false;

  function logLoading(level: LogLevel, message: string): void {
    post({ type: "log", level, message });
  }

  function logRun(level: LogLevel, message: string): void {
    operations.push(["log", level, message]);
    const isLate = clockMs() - toldAt > TELL_MS;
    if (!unsentLog.add(level, message) || isLate) tellOperations();
  }

  /** The ends of earlier runs are sent first. */
  function tellOperations(): void {
    deps.flushEnds();
    post({ type: "operations", operations: takeOperations() });
  }

  function takeOperations(): Operation[] {
    toldAt = clockMs();
    const taken = operations;
    operations = [];
    untaken = 0;
    unsentLog.clear();
    return taken;
  }

  function askMain(name: HostCallName, args: string[]): HostAnswer {
    if (deadline === undefined) {
      log("error", `${name} is not available while scripts are loading`);
      return text(undefined);
    }
    deps.flushEnds();
    asked = true;
    id += 1;
    post({ type: "call", id, name, args, operations: takeOperations(), at: clockMs() });
    for (;;) {
      const seen = Atomics.load(answered, 0);
      const answer = receiveMessageOnPort(answers) as { message: CallAnswer } | undefined;
      if (answer?.message.id === id)
        return "stop" in answer.message ? { stop: answer.message.stop } : text(answer.message.value);
      // Another id is the late answer to a call of an earlier run; there may be more answers after it.
      if (answer) continue;
      const left = deadline - performance.now();
      if (left <= 0) return { stop: "timeout" };
      Atomics.wait(answered, 0, seen, left);
    }
  }

  function getSession(key: string, args: string[]): HostAnswer {
    const known = allWritten || written.has(key) ? undefined : sessions.get(key);
    if (known === undefined) {
      found.add(key);
      return askMain("getKeyData", args);
    }
    operations.push(["read", key, args[1] ?? "", clockMs()]);
    return text(known);
  }

  /** It returns nothing to the script, so the script need not wait. */
  function setSession(key: string, args: string[]): HostAnswer {
    markWritten(key);
    untaken += args.reduce((sum, arg) => sum + arg.length, 0);
    if (deadline === undefined || untaken > UNTAKEN_CHARS) return askMain("setKeyData", args);
    operations.push(["set", args, clockMs()]);
    return text(undefined);
  }

  function markWritten(key: string): void {
    if (found.has(key)) allWritten = true;
    else written.add(key);
  }

  function callMain(name: HostCallName, args: string[]): HostAnswer {
    const [key = ""] = args;
    // The main thread receives some of them only after the run, so they are counted here; it counts the others.
    const stop = isSessionCall(name) && budget.call(name);
    if (stop) return { stop };
    if (name === "getKeyData") return getSession(key, args);
    if (name === "setKeyData") return setSession(key, args);
    if (name === "delKeyData") allWritten = true;
    return askMain(name, args);
  }

  return {
    takeOperations,
    get asked() {
      return asked;
    },
    beginMessage() {
      written = new Set();
      allWritten = false;
    },
    begin(phase) {
      takeOperations();
      asked = false;
      deadline = phase.loading ? undefined : phase.deadline;
      sessions = new Map(phase.loading ? [] : phase.run.sessions);
      found = new Set();
      log = createLogSender(limits, phase.loading ? logLoading : logRun);
      budget = createCallBudget(limits);
    },
    call(name, args) {
      // Checked here too: between two long calls the engine may not check for a long time.
      if (deadline !== undefined && performance.now() >= deadline) return { stop: "timeout" };
      const local = LOCAL.get(name)?.(args[0] ?? "");
      if (LOCAL.has(name)) return text(local === undefined ? undefined : JSON.stringify(local));
      // A lone surrogate is not valid text outside the sandbox.
      const texts = args.map((arg) => arg.toWellFormed());
      if (name !== "log") return callMain(name as HostCallName, texts);
      log(texts[0] as LogLevel, texts[1] ?? "");
      return text(undefined);
    },
  };
}
