import { DescribeTableCommand } from "@aws-sdk/client-dynamodb";
import { AppError } from "../lib/errors.ts";
import type { LocalFunction } from "./lambda/lambda.ts";
import { type Pump, startPump } from "./pump.ts";
import type { Clients } from "./resources.ts";
import { startStreamPump } from "./stream-pump.ts";

/** The options of the functions, and the table and the queue that feed them. */
export interface GatewaySyncOptions {
  clients: Clients;
  sessionsTable: string;
  /** The queue of the keys that must be checked again. */
  queueUrl: string;
  queueStays: boolean;
  settings: Record<string, string>;
  start: (name: string, timeoutMs: number) => Promise<LocalFunction>;
  /** Errors of these functions do not affect events. */
  onError: (error: Error) => void;
  /** Ends the start. */
  signal: AbortSignal;
}

/** The running functions of a stack with a gateway. The caller closes it. */
export interface GatewaySync extends Pump {
  /** Compares a slice of the table with the gateway now. */
  reconcile(): Promise<unknown>;
}

const BATCH_SIZE = 100;
const TIMEOUT_MS = 60_000;
/** The time between two comparisons of both sides. */
const RECONCILE_MS = 60_000;

/** Starts the functions and their event sources; undefined unless the settings name a gateway. */
export async function startGatewaySync(options: GatewaySyncOptions): Promise<GatewaySync | undefined> {
  const { clients, sessionsTable, settings, start, onError, signal } = options;
  if (!settings.GATEWAY_URL) return undefined;
  if (!settings.GATEWAY_SECRET) {
    const message =
      "GATEWAY_URL is set, so sessions go to that gateway: set GATEWAY_SECRET to its API's secret too";
    throw new AppError("local-failed", message);
  }
  const [{ invoke }, comparison] = await Promise.all([
    start("gateway-sync", TIMEOUT_MS),
    start("reconcile", TIMEOUT_MS),
  ]);
  const describe = new DescribeTableCommand({ TableName: sessionsTable });
  const { Table } = await clients.dynamo.send(describe, { abortSignal: signal });
  const streamArn = Table?.LatestStreamArn ?? "";
  const pump = startStreamPump({
    streams: clients.streams,
    streamArn,
    batchSize: BATCH_SIZE,
    invoke,
    onError,
  });
  const again = await startPump({
    sqs: clients.sqs,
    queueUrl: options.queueUrl,
    batchSize: 10,
    queueStays: options.queueStays,
    invoke,
    onError,
    signal,
  });
  const reconcile = () => comparison.invoke({});
  const timer = setInterval(() => void reconcile().catch(onError), RECONCILE_MS);
  return {
    reconcile,
    async close() {
      clearInterval(timer);
      await Promise.all([pump.close(), again.close()]);
    },
  };
}
