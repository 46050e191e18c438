import { type MessagePort, receiveMessageOnPort } from "node:worker_threads";
import type { HostAnswer, HostCall } from "./host-function.ts";
import { decodeBase64, encodeBase64 } from "./jsvm/base64.ts";
import { createLogSender } from "./log-budget.ts";
import type { CallAnswer, FromWorker, HostCallName, Limits, LogLevel } from "./protocol.ts";

/** The worker's side of what scripts ask of the host. */
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
  const send = (level: LogLevel, message: string) => post({ type: "log", level, message });
  let deadline: number | undefined;
  let id = 0;
  let log = createLogSender(limits, send);

  function askMain(name: HostCallName, args: string[]): HostAnswer {
    if (deadline === undefined) {
      log("error", `${name} is not available while scripts are loading`);
      return text(undefined);
    }
    id += 1;
    post({ type: "call", id, name, args });
    for (;;) {
      const seen = Atomics.load(answered, 0);
      const answer = receiveMessageOnPort(answers) as { message: CallAnswer } | undefined;
      if (answer?.message.id === id)
        return "stop" in answer.message ? { stop: answer.message.stop } : text(answer.message.value);
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
      log = createLogSender(limits, send);
    },
    call(name, args) {
      // Asked here too: between two long calls the engine may be far from asking.
      if (deadline !== undefined && performance.now() >= deadline) return { stop: "timeout" };
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
