import { type ChildProcess, fork } from "node:child_process";
import { randomUUID } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import { ownHosts, rejectionOf } from "../own-hosts.ts";

/** A function in a process of its own, behind the Lambda Runtime API; it handles one invocation at a time. */
export interface LocalFunction {
  /** The function's answer; rejects as Lambda does on an error, a timeout or a crash. */
  invoke(payload: unknown): Promise<unknown>;
  /** Ends the process immediately, like a crash; the next invocation starts another. False if none is running. */
  kill(): boolean;
  close(): Promise<void>;
}

/** A moment of an invocation at the Runtime API: before it reaches the process, and after its answer. */
export type Moment =
  | { at: "invoked"; payload: unknown }
  | { at: "answered"; payload: unknown; answer: unknown };

/** How a function is run. `env`: its whole environment, except Lambda's own variables; `memoryMb`: 1024 by default. */
export interface LocalFunctionOptions {
  name: string;
  /** `functions/consumer.main` */
  handler: string;
  taskRoot: string;
  moduleEnding?: ".ts" | ".mjs";
  env: Record<string, string>;
  timeoutMs: number;
  memoryMb?: number;
  /** Called with each line of the function's output. */
  onLine: (line: string) => void;
  /**
   * Returns "kill" to end the process at this moment: with an unfinished invocation, or with its answer not received.
   */
  onMoment?: (moment: Moment) => "kill" | undefined;
}

interface Invocation {
  id: string;
  payload: unknown;
  resolve: (value: unknown) => void;
  reject: (error: Error) => void;
}

declare const BUNDLED: boolean | undefined;
const ending = typeof BUNDLED === "undefined" ? "ts" : "mjs";
const BOOTSTRAP = fileURLToPath(new URL(`./bootstrap.${ending}`, import.meta.url));

/** Starts the process, without waiting until it has loaded the function. The caller closes it. */
export async function startFunction(options: LocalFunctionOptions): Promise<LocalFunction> {
  const queue: Invocation[] = [];
  let current: Invocation | undefined;
  let timer: NodeJS.Timeout | undefined;
  let poll: ServerResponse | undefined;
  let child: ChildProcess | undefined;
  let closed = false;

  function deliver(): void {
    if (!poll || current) return;
    current = queue.shift();
    if (!current) return;
    timer = setTimeout(() => {
      fail(new Error(`Task timed out after ${options.timeoutMs / 1000} seconds`));
      kill();
    }, options.timeoutMs);
    poll.writeHead(200, {
      "content-type": "application/json",
      "lambda-runtime-aws-request-id": current.id,
      "lambda-runtime-deadline-ms": String(Date.now() + options.timeoutMs),
      "lambda-runtime-invoked-function-arn": `arn:aws:lambda:us-east-1:000000000000:function:${options.name}`,
    });
    poll.end(JSON.stringify(current.payload));
    poll = undefined;
    if (options.onMoment?.({ at: "invoked", payload: current.payload }) === "kill") kill();
  }

  const kill = () => child?.kill("SIGKILL") ?? false;

  function finish(): Invocation | undefined {
    clearTimeout(timer);
    const ended = current;
    current = undefined;
    return ended;
  }
  function answer(body: unknown): void {
    if (!current) return;
    const moment: Moment = { at: "answered", payload: current.payload, answer: body };
    if (options.onMoment?.(moment) === "kill") kill();
    else finish()?.resolve(body);
  }
  const fail = (error: Error) => (finish() ?? queue.shift())?.reject(error);

  async function onRequest(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const rejection = rejectionOf(request.headers, isOwn);
    // A web page must neither receive nor answer an invocation.
    if (rejection) {
      request.resume();
      response.writeHead(rejection.status).end(rejection.message);
      return;
    }
    const path = request.url ?? "";
    if (path.endsWith("/invocation/next")) {
      poll = response;
      deliver();
      return;
    }
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = JSON.parse(Buffer.concat(chunks).toString() || "null");
    response.writeHead(202).end();
    // Messages of a dead process can arrive during the next invocation.
    if (path.includes("/invocation/") && !path.includes(`/${current?.id}/`)) return;
    if (path.endsWith("/response")) answer(body);
    else fail(new Error(body?.errorMessage ?? "the function failed"));
  }

  const server = createServer((request, response) => {
    onRequest(request, response).catch((error: Error) => fail(error));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const isOwn = ownHosts(port);

  function startContainer(): void {
    const process_ = fork(BOOTSTRAP, [], {
      stdio: ["ignore", "pipe", "pipe", "ipc"],
      // Only the variables of Lambda and of serverless.yml, and none of this process's own environment.
      env: {
        POWERTOOLS_LOG_LEVEL: "DEBUG",
        ...options.env,
        TZ: ":UTC",
        AWS_LAMBDA_RUNTIME_API: `127.0.0.1:${port}`,
        AWS_LAMBDA_FUNCTION_NAME: options.name,
        AWS_LAMBDA_FUNCTION_MEMORY_SIZE: String(options.memoryMb ?? 1024),
        LAMBDA_TASK_ROOT: options.taskRoot,
        _HANDLER: options.handler,
        GATEHOOK_MODULE_ENDING: options.moduleEnding ?? ".ts",
      },
    });
    child = process_;
    for (const stream of [process_.stdout, process_.stderr]) {
      if (stream) eachLine(stream, options.onLine);
    }
    process_.on("exit", (code, signal) => {
      if (child !== process_) return;
      poll = undefined;
      child = undefined;
      fail(new Error(`${options.name}: Runtime exited with ${code ?? signal}`));
      if (!closed && queue.length > 0) startContainer();
    });
  }
  startContainer();

  return {
    invoke: (payload) =>
      new Promise((resolve, reject) => {
        if (closed) return reject(new Error(`${options.name} is closed`));
        queue.push({ id: randomUUID(), payload, resolve, reject });
        if (!child) startContainer();
        deliver();
      }),
    kill,
    async close() {
      closed = true;
      for (const { reject } of queue.splice(0)) reject(new Error(`${options.name} is closed`));
      const ended = child && new Promise((resolve) => child?.once("exit", resolve));
      kill();
      await ended;
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** As CloudWatch splits lines. Node's readline splits at U+2028 too, so a script's log could end a line of ours. */
function eachLine(stream: Readable, onLine: (line: string) => void): void {
  let rest = "";
  stream.setEncoding("utf8").on("data", (text: string) => {
    const lines = (rest + text).split("\n");
    rest = lines.pop() ?? "";
    lines.forEach(onLine);
  });
  stream.on("end", () => {
    if (rest) onLine(rest);
  });
}
