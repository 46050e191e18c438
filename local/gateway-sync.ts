import { setTimeout as delay } from "node:timers/promises";
import { DescribeTableCommand } from "@aws-sdk/client-dynamodb";
import { AppError } from "../lib/errors.ts";
import type { LocalFunction } from "./lambda/lambda.ts";
import type { Pump } from "./pump.ts";
import type { Clients } from "./resources.ts";
import { startStreamPump } from "./stream-pump.ts";

type Env = Record<string, string | undefined>;

export interface GatewaySyncOptions {
  clients: Clients;
  sessionsTable: string;
  env: Env;
  start: (
    name: string,
    timeoutMs: number,
    own: { settings: Record<string, string> },
  ) => Promise<LocalFunction>;
  /** Not the consumer's: no event fails by it. */
  onError: (error: Error) => void;
}

const BATCH_SIZE = 100;
const TIMEOUT_MS = 60_000;
/** How often it looks for parked changes: here it costs nothing to see them soon. */
const SCHEDULE_MS = 1_000;

/** The function and what feeds it; undefined unless the environment names a gateway. */
export async function startGatewaySync(options: GatewaySyncOptions): Promise<Pump | undefined> {
  const { clients, sessionsTable, env, start, onError } = options;
  if (!env.GATEWAY_URL) return undefined;
  if (!env.GATEWAY_SECRET) {
    const message =
      "GATEWAY_URL is set, so sessions go to that gateway: set GATEWAY_SECRET to its API's secret too";
    throw new AppError("local-failed", message);
  }
  const { invoke } = await start("gateway-sync", TIMEOUT_MS, { settings: gatewaySettings(env) });
  const { Table } = await clients.dynamo.send(new DescribeTableCommand({ TableName: sessionsTable }));
  const streamArn = Table?.LatestStreamArn ?? "";
  const pump = startStreamPump({
    streams: clients.streams,
    streamArn,
    batchSize: BATCH_SIZE,
    invoke,
    onError,
  });
  const schedule = startSchedule(invoke, onError);
  return {
    async close() {
      await Promise.all([pump.close(), schedule.close()]);
    },
  };
}

/** EventBridge's part: calls the function again and again, without any record. */
function startSchedule(invoke: LocalFunction["invoke"], onError: (error: Error) => void): Pump {
  const stop = new AbortController();
  const { signal } = stop;
  async function loop(): Promise<void> {
    while (!signal.aborted) {
      await delay(SCHEDULE_MS, undefined, { signal }).catch(() => {});
      if (signal.aborted) return;
      await invoke({}).catch((thrown: Error) => {
        if (!signal.aborted) onError(thrown);
      });
    }
  }
  const running = loop();
  return {
    async close() {
      stop.abort();
      await running;
    },
  };
}

const gatewaySettings = (env: Env) =>
  Object.fromEntries(
    Object.entries(env).flatMap(([name, value]) =>
      name.startsWith("GATEWAY_") && value !== undefined ? [[name, value]] : [],
    ),
  );
