import type { ReleaseReport } from "../lib/releases/report.ts";
import { createReleaseStore, type ReleaseStore } from "../lib/releases/store.ts";
import { SESSION_ROUTES } from "../lib/sessions/api.ts";
import { startAws } from "./aws.ts";
import { watchBucket } from "./bucket-watch.ts";
import { openFunctions } from "./functions.ts";
import { startGatewaySync } from "./gateway-sync.ts";
import { startHttpApi } from "./http-api.ts";
import { type LocalFunction, type LocalFunctionOptions, startFunction } from "./lambda/lambda.ts";
import { startPump } from "./pump.ts";
import { type Clients, createClients, createResources, type Resources } from "./resources.ts";

/** The whole of gatehook on one machine: the same functions, over the same protocols. */
export interface Stack {
  /** Base of the HTTP API. */
  url: string;
  clients: Clients;
  resources: Resources["env"];
  /** What connects a client or a command to this stack: endpoints, credentials, names. */
  env: Record<string, string>;
  releases: ReleaseStore;
  consumers: LocalFunction[];
  /** Has the releaser look at the bucket now. */
  release(): Promise<ReleaseReport>;
  /** Wakes the releaser as S3 does after an upload; undefined when another invocation builds. */
  notify(notice: unknown): Promise<ReleaseReport | undefined>;
  /** Compares the sessions with the gateway now; undefined without one. */
  reconcile: (() => Promise<unknown>) | undefined;
  close(): Promise<void>;
}

/** What one consumer has of its own. */
export interface ConsumerOptions extends Pick<LocalFunctionOptions, "onMoment"> {
  settings?: Record<string, string>;
}

export interface StackOptions {
  /** 0: any free port. */
  port: number;
  /** Names the tables, queues and the bucket. */
  prefix?: string;
  /** Where AWS's services are: as the SDK reads it. */
  env: Record<string, string | undefined>;
  /** The functions' settings. Those that name a resource of the stack are its own. */
  settings?: Record<string, string>;
  /** A process and a pump for each; one when nothing is said. */
  consumers?: ConsumerOptions[];
  batchSize?: number;
  consumerTimeoutMs?: number;
  consumerMemoryMb?: number;
  visibilitySeconds?: number;
  receiveLimit?: number;
  /** FIFO queues. */
  fifo?: boolean;
  /** Wakes the releaser after uploads by others, such as `gatehook push`. */
  watchBucket?: boolean;
  /** What the functions write, line by line: one JSON line per fact. */
  onLine?: (functionName: string, line: string) => void;
  onError?: (error: Error) => void;
}

const CONSUMER_TIMEOUT_MS = 30_000;

export async function startStack(options: StackOptions): Promise<Stack> {
  const closers: (() => Promise<void>)[] = [];
  const close = async () => {
    for (const closer of closers.splice(0).reverse()) await closer();
  };
  try {
    const functions = await openFunctions();
    closers.push(functions.close);
    const aws = await startAws(options.env);
    closers.push(aws.close);
    const clients = createClients(aws);
    closers.push(async () => {
      for (const client of Object.values(clients)) client.destroy();
    });
    const { env: resources } = await createResources(clients, {
      prefix: options.prefix ?? "gatehook-local",
      visibilitySeconds: options.visibilitySeconds ?? 180,
      receiveLimit: options.receiveLimit ?? 50,
      fifo: options.fifo,
    });
    // Here an upload is one call, so there is nothing to wait for; and whoever reaches this loopback may send events.
    const env: Record<string, string> = {
      ...aws.env,
      RELEASE_QUIET_MS: "0",
      INGEST_AUTH: "none",
      ...options.settings,
      ...resources,
    };
    const start = async (name: string, timeoutMs: number, own: ConsumerOptions = {}) => {
      const { settings, ...rest } = own;
      const memoryMb = name === "consumer" ? options.consumerMemoryMb : undefined;
      const started = await startFunction({
        name,
        ...functions.find(name),
        env: { ...env, ...settings },
        timeoutMs,
        ...(memoryMb && { memoryMb }),
        onLine: (line) => options.onLine?.(name, line),
        ...rest,
      });
      closers.push(started.close);
      return started;
    };
    const consumerTimeoutMs = options.consumerTimeoutMs ?? CONSUMER_TIMEOUT_MS;
    const [ingest, releaser, sessions, ...consumers] = await Promise.all([
      start("ingest", 10_000),
      start("releaser", 60_000),
      start("sessions", 10_000),
      ...(options.consumers ?? [{}]).map((own) => start("consumer", consumerTimeoutMs, own)),
    ]);
    const api = await startHttpApi(options.port, {
      "ANY /events/{api_id}": ingest.invoke,
      ...Object.fromEntries(SESSION_ROUTES.map((route) => [route, sessions.invoke])),
      $default: ingest.invoke,
    });
    closers.push(api.close);
    for (const { invoke } of consumers) {
      const pump = await startPump({
        sqs: clients.sqs,
        queueUrl: resources.EVENTS_QUEUE_URL,
        batchSize: options.batchSize ?? 10,
        invoke,
        onError: options.onError ?? (() => {}),
      });
      closers.push(pump.close);
    }
    const gatewaySync = await startGatewaySync({
      clients,
      sessionsTable: resources.SESSIONS_TABLE,
      queueUrl: resources.SYNC_QUEUE_URL,
      settings: env,
      start,
      onError: (error) => options.onLine?.("gateway-sync", error.message),
    });
    if (gatewaySync) closers.push(gatewaySync.close);
    const releases = createReleaseStore({
      s3: clients.s3,
      bucket: resources.FILES_BUCKET,
      dynamo: clients.dynamo,
      table: resources.STATE_TABLE,
      now: Date.now,
    });
    const notify = async (notice: unknown) => (await releaser.invoke(notice)) as ReleaseReport | undefined;
    if (options.watchBucket) {
      const onError = options.onError ?? (() => {});
      const watch = watchBucket({ list: releases.listSources, notify, onError });
      closers.push(watch.close);
    }
    return {
      url: api.url,
      clients,
      resources,
      env,
      releases,
      consumers,
      release: async () => (await releaser.invoke({})) as ReleaseReport,
      notify,
      reconcile: gatewaySync?.reconcile,
      close,
    };
  } catch (thrown) {
    await close();
    throw thrown;
  }
}
