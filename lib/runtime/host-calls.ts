import { type MessagePort, receiveMessageOnPort } from "node:worker_threads";
import type { HostAnswer, HostCall } from "./host-function.ts";
import { decodeBase64, encodeBase64 } from "./jsvm/base64.ts";
import type { CallAnswer, FromWorker, HostCallName, Limits, LogLevel, StopCode } from "./protocol.ts";

/** The worker's side of what scripts ask of the host, within the limits of one run. */
export interface HostCalls {
  call: HostCall;
  /** A new run, or scripts that load: then nothing but logs, and what needs no I/O, is answered. */
  begin(phase: { loading: true } | { loading: false; deadline: number }): void;
}

export interface HostCallDeps {
  limits: Limits;
  post(message: FromWorker): void;
  /** Brings the answers, when `answered` has counted them. */
  answers: MessagePort;
  answered: Int32Array;
}

/** Calls that need no I/O; the answer is JSON, since a plain string would end at its first NUL. */
const LOCAL = new Map<string, (text: string) => string | undefined>([
  ["b64enc", (text) => encodeBase64(text, true)],
  ["rawb64enc", (text) => encodeBase64(text, false)],
  ["b64dec", (text) => decodeBase64(text, true) ?? decodeBase64(text, false)],
  ["rawb64dec", (text) => decodeBase64(text, false)],
]);

const text = (value: string | undefined): HostAnswer => ({ text: value });

export function createHostCalls({ limits, post, answers, answered }: HostCallDeps): HostCalls {
  let deadline: number | undefined;
  let id = 0;
  let log = createRunLog(limits, post);
  let budget = createBudget(limits);

  function askMain(name: HostCallName, args: string[]): HostAnswer {
    if (deadline === undefined) {
      log("error", `${name} is not available while scripts are loading`);
      return text(undefined);
    }
    const spent = budget(name, args);
    if (spent) return { stop: spent };
    id += 1;
    post({ type: "call", id, name, args });
    for (;;) {
      const seen = Atomics.load(answered, 0);
      const answer = receiveMessageOnPort(answers) as { message: CallAnswer } | undefined;
      if (answer?.message.id === id) return text(answer.message.value);
      // Another id is the late answer to a call whose run is over; there may be more behind it.
      if (answer) continue;
      const left = deadline - performance.now();
      if (left <= 0) return { stop: "timeout" };
      Atomics.wait(answered, 0, seen, left);
    }
  }

  return {
    begin(phase) {
      deadline = phase.loading ? undefined : phase.deadline;
      log = createRunLog(limits, post);
      budget = createBudget(limits);
    },
    call(name, args) {
      const local = LOCAL.get(name)?.(args[0] ?? "");
      if (LOCAL.has(name)) return text(local === undefined ? undefined : JSON.stringify(local));
      // Half a surrogate pair is no text outside the sandbox.
      const texts = args.map((arg) => arg.toWellFormed());
      if (name !== "log") return askMain(name as HostCallName, texts);
      log(texts[0] as LogLevel, texts[1] ?? "");
      return text(undefined);
    },
  };
}

/**
 * Posts line by line, so that what a script said before it was killed is kept; after a limit, one more line with the
 * limit's code.
 */
function createRunLog(
  limits: Limits,
  post: HostCallDeps["post"],
): (level: LogLevel, message: string) => void {
  let lines = limits.logRunLines;
  let bytes = limits.logRunBytes;
  let full = false;
  const cut = (limit: string) => {
    full = true;
    post({ type: "log", level: "warn", message: `${limit} is what a run may log; the rest is dropped` });
  };
  return (level, message) => {
    if (full) return;
    lines -= 1;
    bytes -= Buffer.byteLength(message);
    if (lines < 0) return cut(`handler-log-lines: ${limits.logRunLines} lines`);
    if (bytes < 0) return cut(`handler-log-bytes: ${limits.logRunBytes} bytes`);
    post({ type: "log", level, message });
  };
}

/** Counts the calls of one run; answers the code of the limit that this one breaks. */
function createBudget(limits: Limits): (name: HostCallName, args: string[]) => StopCode | undefined {
  let http = limits.httpCalls;
  let storage = limits.storageCalls;
  let session = limits.sessionCalls;
  return (name, args) => {
    switch (name) {
      case "makeHttpRequest":
        http -= 1;
        return http < 0 ? "http-calls" : undefined;
      case "batchRequest":
        http -= requestsIn(args[0] ?? "");
        return http < 0 ? "http-calls" : undefined;
      case "storage":
        storage -= 1;
        return storage < 0 ? "storage-calls" : undefined;
      case "getKeyData":
      case "setKeyData":
        session -= 1;
        return session < 0 ? "session-calls" : undefined;
    }
  };
}

/** At least 1: what is no batch is refused by the main thread, and that takes a call too. */
function requestsIn(batch: string): number {
  try {
    const { requests } = JSON.parse(batch) as { requests?: unknown };
    return Array.isArray(requests) ? Math.max(1, requests.length) : 1;
  } catch {
    return 1;
  }
}
