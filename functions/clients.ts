import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { S3Client, type S3ClientConfig } from "@aws-sdk/client-s3";
import type { Env } from "./settings.ts";

/**
 * Without a limit, a connection that is silently lost would take the rest of the invocation. A request that reaches the
 * limit counts as unanswered, and is repeated.
 */
export const requestHandler = {
  connectionTimeout: 1_000,
  requestTimeout: 3_000,
  throwOnRequestTimeout: true,
};

// Clients that not every start needs have modules of their own, since a module is loaded as a whole.

/** The SDK itself reads the region, the credentials and AWS_ENDPOINT_URL_DYNAMODB, _SQS and _S3. */
export const createDynamo = () => new DynamoDBClient({ requestHandler });

/** A custom endpoint has no host name for each bucket. */
export const createS3 = (env: Env, config: S3ClientConfig = {}) =>
  new S3Client({ ...config, forcePathStyle: Boolean(env.AWS_ENDPOINT_URL_S3 ?? env.AWS_ENDPOINT_URL) });

/** For the history, which tries each write once in little time: lost records are counted. */
const ONCE = { maxAttempts: 1 };

/** `s3` makes the client when it is called: most records need none. */
export const createHistoryClients = (env: Env) => ({
  dynamo: new DynamoDBClient({ requestHandler, ...ONCE }),
  s3: () => createS3(env, ONCE),
});
