import { spawn } from "node:child_process";
import { createRequire } from "node:module";
import { type AddressInfo, createConnection, createServer } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { AppError } from "../lib/errors.ts";

/** A service of the stack that was started here, and how to stop it. */
export interface Service {
  endpoint: string;
  close(): Promise<void>;
}

const START_MS = 5_000;

/** Starts dynoxide, a DynamoDB engine in one binary, in memory, on a free loopback port. */
export async function startDynamo(): Promise<Service> {
  const binary = findBinary();
  const port = await freePort();
  const server = spawn(binary, ["serve", "--port", String(port)], { stdio: "ignore" });
  const kill = () => server.kill("SIGKILL");
  process.once("exit", kill);
  const exited = new Promise<void>((resolve) => server.once("exit", () => resolve()));
  const failed = new Promise<never>((_, reject) => {
    server.once("error", (cause) =>
      reject(new AppError("local-failed", `${binary} does not start`, { cause })),
    );
    server.once("exit", (code) =>
      reject(new AppError("local-failed", `${binary} ended with ${code} at its start`)),
    );
  });
  failed.catch(() => {}); // it ends at close too
  await Promise.race([reachable(port), failed]);
  return {
    endpoint: `http://127.0.0.1:${port}`,
    async close() {
      process.off("exit", kill);
      kill();
      await exited;
    },
  };
}

/** The engine's binary for a platform; throws with what to do where there is none. */
export function findBinary(platform: string = process.platform, arch: string = process.arch): string {
  const name = `@dynoxide/${platform}-${arch}`;
  try {
    return createRequire(import.meta.url).resolve(`${name}/dynoxide`);
  } catch (cause) {
    const message =
      `there is no DynamoDB engine for ${platform}-${arch} here (${name} is not installed). ` +
      "Start any DynamoDB-compatible server, such as DynamoDB Local, and set AWS_ENDPOINT_URL_DYNAMODB to its address, " +
      "for example http://127.0.0.1:8000";
    throw new AppError("local-failed", message, { cause });
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once("error", reject);
    probe.listen(0, "127.0.0.1", () => {
      const { port } = probe.address() as AddressInfo;
      probe.close(() => resolve(port));
    });
  });
}

async function reachable(port: number): Promise<void> {
  for (const end = Date.now() + START_MS; Date.now() < end; await delay(10)) {
    const open = await new Promise<boolean>((resolve) => {
      const socket = createConnection(port, "127.0.0.1");
      socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
      socket.once("connect", () => socket.destroy());
    });
    if (open) return;
  }
  throw new AppError(
    "local-failed",
    `the DynamoDB engine did not answer on port ${port} within ${START_MS} ms`,
  );
}
