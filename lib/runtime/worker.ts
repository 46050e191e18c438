// The thread of one sandbox. It knows no environment and no credentials; what needs I/O it asks of the main
// thread and waits for, since the gateway's JavaScript API is synchronous.
import { parentPort, receiveMessageOnPort, workerData } from "node:worker_threads";
import { decodeBase64, encodeBase64 } from "./jsvm/base64.ts";
import { readPrelude } from "./jsvm/source.ts";
import type {
  CallAnswer,
  FromWorker,
  HostCallName,
  LogLevel,
  Script,
  ToWorker,
  WorkerSetup,
} from "./protocol.ts";
import { createSandbox } from "./sandbox.ts";

const { wasm, limits, calls, signal } = workerData as WorkerSetup;
const port = parentPort;
if (!port) throw new Error("worker.ts runs as a worker thread only");
const ready = new Int32Array(signal);
const prelude = readPrelude();

let loading = true;
let logged = 0;

const post = (message: FromWorker) => port.postMessage(message);

function log(level: LogLevel, message: string): void {
  if (logged > limits.logRunChars) return;
  logged += message.length;
  // Posted line by line, so that what a script said before it was killed is kept.
  post({ type: "log", level, message });
  if (logged > limits.logRunChars) {
    post({
      type: "log",
      level: "warn",
      message: `log cut: more than ${limits.logRunChars} characters in one run`,
    });
  }
}

function askMain(name: HostCallName, args: string[]): string | undefined {
  if (loading) {
    log("error", `${name} is not available while scripts are loading`);
    return undefined;
  }
  Atomics.store(ready, 0, 0);
  post({ type: "call", name, args });
  Atomics.wait(ready, 0, 0);
  const answer = receiveMessageOnPort(calls) as { message: CallAnswer } | undefined;
  return answer?.message.value;
}

/** Calls that need no I/O; the answer is JSON, since a plain string would end at its first NUL. */
const LOCAL = new Map<string, (text: string) => string | undefined>([
  ["b64enc", (text) => encodeBase64(text, true)],
  ["rawb64enc", (text) => encodeBase64(text, false)],
  ["b64dec", (text) => decodeBase64(text, true) ?? decodeBase64(text, false)],
  ["rawb64dec", (text) => decodeBase64(text, false)],
]);

function hostCall(name: string, args: string[]): string | undefined {
  const local = LOCAL.get(name);
  if (local) return jsonOf(local(args[0] ?? ""));
  // Half a surrogate pair is no text outside the sandbox.
  const texts = args.map((arg) => arg.toWellFormed());
  if (name !== "log") return askMain(name as HostCallName, texts);
  log(texts[0] as LogLevel, texts[1] ?? "");
  return undefined;
}

const jsonOf = (text: string | undefined) => (text === undefined ? undefined : JSON.stringify(text));

const newSandbox = () => createSandbox({ wasm, prelude, limits, hostCall });
let scripts: Script[] = [];
let sandbox = await newSandbox();

function load() {
  loading = true;
  logged = 0;
  const faults = sandbox.load(scripts);
  loading = false;
  return faults;
}

async function answer(message: ToWorker): Promise<void> {
  switch (message.type) {
    case "load":
      scripts = message.scripts;
      return post({ type: "loaded", faults: load() });
    case "probe":
      return post({ type: "probed", problems: sandbox.probe(message.handlers) });
    case "run": {
      logged = 0;
      post({ type: "ended", outcome: sandbox.run(message.run) });
      if (sandbox.sound) return;
      sandbox = await newSandbox();
      load();
    }
  }
}

// One message at a time: a rebuild after a bad run ends before the next run starts.
let last: Promise<void> = Promise.resolve();
port.on("message", (message: ToWorker) => {
  last = last.then(() => answer(message));
});
