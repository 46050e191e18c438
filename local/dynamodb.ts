import { type ChildProcess, spawn } from "node:child_process";
import { randomInt } from "node:crypto";
import { once } from "node:events";
import { type AddressInfo, createConnection, createServer } from "node:net";
import { dirname } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { AppError, errorText } from "../lib/errors.ts";
import { findBinary } from "./engine-binary.ts";
import { endWithThisProcess } from "./watchdog.ts";

/** A running service of the stack. */
export interface Service {
  endpoint: string;
  close(): Promise<void>;
}

/**
 * How the engine is started. `binary`: its path, by default the one that `findBinary` finds; `signal` ends the start.
 */
export interface DynamoOptions {
  binary?: string;
  /** The file of the tables; without one they are in memory. */
  file?: string | undefined;
  signal?: AbortSignal | undefined;
  /** Called if it ends unexpectedly. */
  onEnd?: ((error: AppError) => void) | undefined;
}

const START_MS = 5_000;
/** The time between the request to end and the kill, in ms. */
const GRACE_MS = 1_000;
/** A terminal sends signals to all its processes, including the engine: this wait lets our own handler run first. */
const SIGNAL_MS = 100;
const MAX_SAID = 1_000;

/** How often another port is tried if a program has taken it in the meantime, or uses it at another address. */
const PORTS = 5;
const TAKEN = /port \d+ is already in use/;

/** Starts dynoxide, a DynamoDB engine in one binary, on a free port of a loopback address. */
export async function startDynamo(options: DynamoOptions = {}): Promise<Service> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await startAt(await freeAddress(), options);
    } catch (thrown) {
      if (tries === PORTS || !TAKEN.test(errorText(thrown))) throw thrown;
    }
  }
}

async function startAt(at: Address, options: DynamoOptions): Promise<Service> {
  const { binary = findBinary(), file, signal, onEnd = () => {} } = options;
  signal?.throwIfAborted();
  const args = [
    "serve",
    "--host",
    at.address,
    "--port",
    String(at.port),
    ...(file ? ["--db-path", file] : []),
  ];
  const server = spawn(binary, args, { stdio: ["ignore", "ignore", "pipe"] });
  const watchdog = server.pid ? endWithThisProcess(server.pid) : undefined;
  let said = "";
  server.stderr.setEncoding("utf8").on("data", (text: string) => {
    said = (said + text).slice(-MAX_SAID);
  });
  let closing = false;
  const ended = endOf(server).then(async (how) => {
    const byItself = !closing;
    await watchdog?.close();
    if (byItself) await delay(SIGNAL_MS, undefined, { ref: false });
    const [why] = /^error: .*$/m.exec(said) ?? [];
    const text = `the DynamoDB engine ${binary} ${how}${why ? ` (${why})` : ""}`;
    return { byItself, error: new AppError("local-failed", text) };
  });
  async function close() {
    closing = true;
    server.kill();
    const kill = setTimeout(() => server.kill("SIGKILL"), GRACE_MS);
    await ended;
    clearTimeout(kill);
  }
  const started = new AbortController();
  try {
    const stop = AbortSignal.any([started.signal, ...(signal ? [signal] : [])]);
    await Promise.race([
      reachable(at, stop),
      ended.then(({ error }) => Promise.reject(withFile(error, file))),
    ]);
  } catch (thrown) {
    await close();
    signal?.throwIfAborted();
    throw thrown;
  } finally {
    started.abort();
  }
  void ended.then(({ byItself, error }) => byItself && onEnd(error));
  return { endpoint: `http://${at.address}:${at.port}`, close };
}

/** If an engine does not start, its file may be damaged. */
function withFile(cause: AppError, file: string | undefined): AppError {
  if (!file) return cause;
  const rest = `its data is in ${file}: if that is damaged, delete ${dirname(file)} to start from nothing`;
  return new AppError("local-failed", `${cause.message}; ${rest}`, { cause });
}

async function endOf(server: ChildProcess): Promise<string> {
  try {
    const [code, signal] = await once(server, "exit");
    return signal ? `was ended by ${signal}` : `ended with exit code ${code}`;
  } catch (thrown) {
    return `does not start (${errorText(thrown)})`;
  }
}

type Address = Pick<AddressInfo, "address" | "port">;

/**
 * The engine answers web pages of every origin and requests for every host, and has no setting to restrict them. So it
 * listens on an address that no page can guess: a random one of the 16 million loopback addresses of Linux and Windows.
 * macOS has only one.
 */
async function freeAddress(): Promise<Address> {
  const random = `127.${randomInt(1, 255)}.${randomInt(256)}.${randomInt(1, 255)}`;
  return freePort(random).catch(() => freePort("127.0.0.1"));
}

function freePort(host: string): Promise<Address> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once("error", reject);
    probe.listen(0, host, () => {
      const { address, port } = probe.address() as AddressInfo;
      probe.close(() => resolve({ address, port }));
    });
  });
}

async function reachable({ address, port }: Address, signal: AbortSignal): Promise<void> {
  for (const end = Date.now() + START_MS; Date.now() < end; await delay(10, undefined, { signal })) {
    const open = await new Promise<boolean>((resolve) => {
      const socket = createConnection(port, address);
      socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
      socket.once("connect", () => socket.destroy());
    });
    if (open) return;
  }
  throw new AppError(
    "local-failed",
    `the DynamoDB engine did not answer at ${address}:${port} within ${START_MS} ms`,
  );
}
