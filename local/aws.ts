import { join } from "node:path";
import { SQSClient } from "@aws-sdk/client-sqs";
import { AppError } from "../lib/errors.ts";
import { type Service, startDynamo } from "./dynamodb.ts";
import { startQueueAndBucket } from "./queue-and-bucket.ts";

/** The endpoints of the stack's AWS services: embedded ones, unless the environment names others. */
export interface LocalAws {
  /** The environment of every client, here and in the functions. */
  env: Record<string, string>;
  /** Those that end with this stack. */
  embedded: ReadonlySet<ServiceName>;
  close(): Promise<void>;
}

/** As in the variable's name `AWS_ENDPOINT_URL_…`. */
export type ServiceName = "DYNAMODB" | "SQS" | "S3";

/** How the embedded services are started. `signal` ends the start. */
export interface LocalAwsOptions {
  /** The folder of the embedded services' data; without one, they keep it in memory. */
  folder?: string | undefined;
  signal?: AbortSignal | undefined;
  /** Called if an embedded service ends unexpectedly. */
  onEnd?: ((error: AppError) => void) | undefined;
}

type Env = Record<string, string | undefined>;

/**
 * Starts the services for which the environment has no endpoint. Throws `setting-invalid` for an endpoint that is not a
 * URL.
 */
export async function startAws(env: Env, options: LocalAwsOptions = {}): Promise<LocalAws> {
  const { folder, signal, onEnd } = options;
  const given = {
    dynamo: endpointIn(env, "AWS_ENDPOINT_URL_DYNAMODB", FOR_ALL),
    // A table's stream has the endpoint of the table.
    streams: endpointIn(env, "AWS_ENDPOINT_URL_DYNAMODB_STREAMS"),
    sqs: endpointIn(env, "AWS_ENDPOINT_URL_SQS", FOR_ALL),
    s3: endpointIn(env, "AWS_ENDPOINT_URL_S3", FOR_ALL),
  };
  const identity = await identityIn(env, Object.values(given).some(Boolean));
  const startTables = () => startDynamo({ file: folder && join(folder, "dynamodb.db"), signal, onEnd });
  const startOthers = () => startQueueAndBucket({ folder, region: identity.AWS_REGION });
  const [tables, others] = await startAll([
    given.dynamo ? undefined : startTables,
    given.sqs && given.s3 ? undefined : startOthers,
  ]);
  const dynamo = given.dynamo ?? tables?.endpoint ?? "";
  return {
    env: {
      ...identity,
      AWS_ENDPOINT_URL_DYNAMODB: dynamo,
      AWS_ENDPOINT_URL_DYNAMODB_STREAMS: given.streams ?? dynamo,
      AWS_ENDPOINT_URL_SQS: given.sqs ?? others?.endpoint ?? "",
      AWS_ENDPOINT_URL_S3: given.s3 ?? others?.endpoint ?? "",
    },
    embedded: new Set<ServiceName>([
      ...(given.dynamo ? [] : ["DYNAMODB" as const]),
      ...(given.sqs ? [] : ["SQS" as const]),
      ...(given.s3 ? [] : ["S3" as const]),
    ]),
    async close() {
      await Promise.all([tables?.close(), others?.close()]);
    },
  };
}

/** All or none: if one fails to start, the others are closed again. */
async function startAll(starts: ((() => Promise<Service>) | undefined)[]): Promise<(Service | undefined)[]> {
  const results = await Promise.allSettled(starts.map((start) => start?.()));
  const failed = results.find(({ status }) => status === "rejected");
  const services = results.map((result) => (result.status === "fulfilled" ? result.value : undefined));
  if (!failed) return services;
  await Promise.all(services.map((service) => service?.close()));
  throw (failed as PromiseRejectedResult).reason;
}

const FOR_ALL = "AWS_ENDPOINT_URL";

/** In the same order as the SDK: a service's own variable, then the one for all; an empty one counts as not set. */
function endpointIn(env: Env, ...names: string[]): string | undefined {
  if (env.AWS_IGNORE_CONFIGURED_ENDPOINT_URLS === "true") return undefined;
  const name = names.find((one) => env[one]);
  const url = name && env[name];
  if (!url || URL.canParse(url)) return url || undefined;
  const message = `${name} is ${JSON.stringify(url)}, which is not a URL: write it like http://127.0.0.1:4566`;
  throw new AppError("setting-invalid", message);
}

interface Identity extends Record<string, string> {
  AWS_REGION: string;
  AWS_ACCESS_KEY_ID: string;
  AWS_SECRET_ACCESS_KEY: string;
}

const REGION = "us-east-1";
/** The placeholder credentials, since emulators accept any. */
export const MADE_UP_KEY = "local";

/**
 * Region and credentials, which functions receive as variables. For external services, they are those that the SDK
 * itself would find, including a profile, or the role of a container or a machine.
 */
async function identityIn(env: Env, isOutside: boolean): Promise<Identity> {
  const { AWS_REGION: region, AWS_ACCESS_KEY_ID: id, AWS_SECRET_ACCESS_KEY: secret } = env;
  const hasKeys = id && secret && !(isOutside && env.AWS_PROFILE);
  const found = isOutside && !(hasKeys && region) ? await askSdk() : undefined;
  const keys = hasKeys ? { id, secret, token: env.AWS_SESSION_TOKEN } : found?.keys;
  return {
    AWS_REGION: region || found?.region || REGION,
    AWS_ACCESS_KEY_ID: keys?.id ?? MADE_UP_KEY,
    AWS_SECRET_ACCESS_KEY: keys?.secret ?? MADE_UP_KEY,
    ...(keys?.token && { AWS_SESSION_TOKEN: keys.token }),
  };
}

async function askSdk() {
  const client = new SQSClient({});
  const [region, keys] = await Promise.all([
    client.config.region().catch(() => undefined),
    client.config.credentials().catch(() => undefined),
  ]);
  client.destroy();
  return {
    region,
    keys: keys && { id: keys.accessKeyId, secret: keys.secretAccessKey, token: keys.sessionToken },
  };
}
