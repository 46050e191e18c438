import type { RequestListener } from "node:http";
import { LOCAL_VALUES } from "../lib/apis/references.ts";
import { AppError } from "../lib/errors.ts";
import { LINE_START } from "../lib/history/records.ts";
import { KEYS_ROUTE } from "../lib/keys/api.ts";
import type { ReleaseReport } from "../lib/releases/report.ts";
import { createReleaseStore, type ReleaseStore } from "../lib/releases/store.ts";
import { SESSION_ROUTES } from "../lib/sessions/api.ts";
import { type ServiceName, startAws } from "./aws.ts";
import { watchBucket } from "./bucket-watch.ts";
import { type DataFolder, openDataFolder } from "./data-folder.ts";
import { openFunctions } from "./functions.ts";
import { startGatewaySync } from "./gateway-sync.ts";
import { startHttpApi } from "./http-api.ts";
import { type LocalFunction, type LocalFunctionOptions, startFunction } from "./lambda/lambda.ts";
import { startPump } from "./pump.ts";
import {
  type Clients,
  createClients,
  createResources,
  onFailedCalls,
  projectPrefix,
  type Resources,
} from "./resources.ts";
import { createSources } from "./sources.ts";

/** The complete gatehook on one machine: the same functions, with the same protocols. */
export interface Stack {
  /** Base of the HTTP API. */
  url: string;
  clients: Clients;
  resources: Resources["env"];
  /** The environment that connects a client or a command to this stack: endpoints, credentials, names. */
  env: Record<string, string>;
  /** The services that end with it. */
  embedded: ReadonlySet<ServiceName>;
  releases: ReleaseStore;
  consumers: LocalFunction[];
  /** Makes the releaser read the bucket now, after an upload by the caller. */
  release(upload?: () => Promise<void>): Promise<ReleaseReport>;
  /** Invokes the releaser as S3 does after an upload; undefined if another invocation makes the release. */
  notify(notice: unknown): Promise<ReleaseReport | undefined>;
  /** Compares the sessions with the gateway now; undefined without one. */
  reconcile: (() => Promise<unknown>) | undefined;
  /** Rejects when the stack cannot continue: its engine ended, or its data folder cannot be written to. */
  broken: Promise<never>;
  /** Gives the work in progress a moment to end; unfinished messages are delivered again if the queue is kept. */
  close(): Promise<void>;
}

/** The options of one consumer. */
export interface ConsumerOptions extends Pick<LocalFunctionOptions, "onMoment"> {
  settings?: Record<string, string>;
}

/** How a stack is started; only `port` and `env` are needed. */
export interface StackOptions {
  /** 0: any free port. */
  port: number;
  /** Host names that are allowed in requests, in addition to those of loopback. */
  allowHosts?: string[];
  /** The beginning of the names of the tables, queues and the bucket. */
  prefix?: string;
  /** The folder of the stack: without a prefix, its resources in external services have names of their own. */
  project?: string;
  /** The environment with the endpoints of AWS's services, as the SDK reads it. */
  env: Record<string, string | undefined>;
  /** The functions' settings, without those that name a resource of the stack. */
  settings?: Record<string, string>;
  /** A process and a pump for each; one by default. */
  consumers?: ConsumerOptions[];
  batchSize?: number;
  consumerTimeoutMs?: number;
  consumerMemoryMb?: number;
  visibilitySeconds?: number;
  receiveLimit?: number;
  /** FIFO queues. */
  fifo?: boolean;
  /** Invokes the releaser after uploads by others, such as `gatehook push`. */
  watchBucket?: boolean;
  /** A folder that keeps the embedded tables, queues and bucket between starts. */
  persist?: string;
  /** Ends the start, with the signal's reason. */
  signal?: AbortSignal;
  /** Records events: called with the lines of their history, which `onLine` does not receive. */
  onHistory?: ((line: string) => void) | undefined;
  /** Answers the requests below `/console` of the HTTP API. */
  console?: RequestListener;
  /** Called with each line of the functions' output: one JSON line for each fact. */
  onLine?: (functionName: string, line: string) => void;
  onError?: (error: Error) => void;
}

/** The values of references in config_data. */
const configValues = (env: StackOptions["env"]) =>
  Object.fromEntries(
    Object.entries(env).flatMap(([name, value = ""]) =>
      name.startsWith(LOCAL_VALUES) ? [[name, value]] : [],
    ),
  );

const CONSUMER_TIMEOUT_MS = 30_000;

/**
 * Resolves when everything is running. If the start fails or is aborted, the started parts are closed again. The caller
 * closes the stack.
 */
export async function startStack(options: StackOptions): Promise<Stack> {
  const { onError = () => {} } = options;
  const closers: (() => Promise<void> | void)[] = [];
  async function close(): Promise<void> {
    for (const closer of closers.splice(0).reverse()) await closer();
  }
  const sources = createSources();
  const broken = Promise.withResolvers<never>();
  broken.promise.catch(() => {});
  const stop = new AbortController();
  const signal = options.signal ? AbortSignal.any([options.signal, stop.signal]) : stop.signal;
  function fail(error: unknown): void {
    stop.abort(error);
    broken.reject(error);
  }
  const folder = options.persist === undefined ? undefined : openDataFolder(options.persist, fail);
  if (folder) closers.push(folder.close);
  try {
    signal.throwIfAborted();
    const functions = await openFunctions();
    closers.push(functions.close);
    const aws = await startAws(options.env, {
      folder: folder?.path,
      signal,
      onEnd: (error) => fail(withWhatIsKept(error, folder)),
    });
    closers.push(aws.close);
    const clients = createClients(aws);
    if (folder) onFailedCalls(clients, folder.suspect);
    closers.push(() => {
      for (const client of Object.values(clients)) client.destroy();
    });
    closers.push(sources.ended);
    const queueStays = !aws.embedded.has("SQS");
    const isShared = aws.embedded.size < 3;
    const own = isShared && options.project ? projectPrefix(options.project) : "gatehook-local";
    const { env: resources } = await createResources(
      clients,
      {
        prefix: options.prefix ?? own,
        visibilitySeconds: options.visibilitySeconds ?? 180,
        receiveLimit: options.receiveLimit ?? 50,
        fifo: options.fifo,
        stream: Boolean(options.settings?.GATEWAY_URL),
      },
      signal,
    );
    // Here an upload is one call, so the releaser does not have to wait for further files; and everybody on this
    // loopback may send events.
    const env: Record<string, string> = {
      ...aws.env,
      ...configValues(options.env),
      RELEASE_QUIET_MS: "0",
      INGEST_AUTH: "none",
      ...(options.onHistory && { GATEHOOK_HISTORY: "lines" }),
      REFERENCES_FROM: "environment",
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
        onLine(line) {
          if (options.onHistory && line.startsWith(LINE_START)) return options.onHistory(line);
          if (/"level":"(WARN|ERROR)"/.test(line)) folder?.suspect();
          options.onLine?.(name, line);
        },
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
    const api = await startHttpApi({
      port: options.port,
      allowHosts: options.allowHosts,
      console: options.console,
      routes: {
        "ANY /events/{api_id}": ingest.invoke,
        ...Object.fromEntries(SESSION_ROUTES.map((route) => [route, sessions.invoke])),
        ...(env.KEYS_API_SECRET?.trim() && { [KEYS_ROUTE]: sessions.invoke }),
        $default: ingest.invoke,
      },
    });
    closers.push(api.close, sources.stop);
    signal.throwIfAborted();
    for (const { invoke } of consumers) {
      const pump = await startPump({
        sqs: clients.sqs,
        queueUrl: resources.EVENTS_QUEUE_URL,
        batchSize: options.batchSize ?? 10,
        queueStays,
        invoke,
        signal,
        onError,
      });
      sources.add(pump);
    }
    const gatewaySync = await startGatewaySync({
      clients,
      sessionsTable: resources.SESSIONS_TABLE,
      queueUrl: resources.SYNC_QUEUE_URL,
      queueStays,
      settings: env,
      start,
      signal,
      onError: (error) => options.onLine?.("gateway-sync", error.message),
    });
    if (gatewaySync) sources.add(gatewaySync);
    const releases = createReleaseStore({
      s3: clients.s3,
      bucket: resources.FILES_BUCKET,
      dynamo: clients.dynamo,
      table: resources.STATE_TABLE,
      now: Date.now,
    });
    const notify = async (notice: unknown) => (await releaser.invoke(notice)) as ReleaseReport | undefined;
    const release = async () => (await releaser.invoke({})) as ReleaseReport;
    const bucket = options.watchBucket
      ? watchBucket({ list: releases.listSources, notify, onError })
      : undefined;
    if (bucket) sources.add(bucket);
    signal.throwIfAborted();
    return {
      url: api.url,
      clients,
      resources,
      env,
      embedded: aws.embedded,
      releases,
      consumers,
      async release(upload = async () => {}) {
        if (bucket) return bucket.quietly(upload, release);
        await upload();
        return release();
      },
      notify,
      reconcile: gatewaySync?.reconcile,
      broken: broken.promise,
      close,
    };
  } catch (thrown) {
    await close();
    signal.throwIfAborted();
    folder?.check();
    throw thrown;
  }
}

/** Adds the kept data to the error of an engine that ended. */
function withWhatIsKept(cause: AppError, folder: DataFolder | undefined): AppError {
  const rest = folder
    ? `start again: what was stored is in ${folder.path}`
    : "its tables are lost, and the events of the queue with them; --persist keeps both";
  return new AppError("local-failed", `${cause.message}: ${rest}`, { cause });
}
