// The thread of one sandbox. It knows no environment and no credentials; what needs I/O it asks of the main
// thread and waits for, since the gateway's JavaScript API is synchronous.
import { readFileSync } from "node:fs";
import { parentPort, receiveMessageOnPort, workerData } from "node:worker_threads";
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
const prelude = readFileSync(new URL("./jsvm/prelude.js", import.meta.url), "utf8");

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

function hostCall(name: string, args: string[]): string | undefined {
  if (name !== "log") return askMain(name as HostCallName, args);
  log(args[0] as LogLevel, args[1] ?? "");
  return undefined;
}

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
