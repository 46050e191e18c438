import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { S3Client, type S3ClientConfig } from "@aws-sdk/client-s3";
import type { Env } from "./settings.ts";

/**
 * Without a limit, a connection that died without a word would take the rest of the invocation. Ended by it, a
 * request counts as not answered, and is sent again.
 */
export const requestHandler = {
  connectionTimeout: 1_000,
  requestTimeout: 3_000,
  throwOnRequestTimeout: true,
};

// A module for each client that not every start needs: a module is loaded whole.

/** The SDK itself reads the region, the credentials and AWS_ENDPOINT_URL_DYNAMODB, _SQS and _S3. */
export const createDynamo = () => new DynamoDBClient({ requestHandler });

/** A custom endpoint has no host name for each bucket. */
export const createS3 = (env: Env, config: S3ClientConfig = {}) =>
  new S3Client({ ...config, forcePathStyle: Boolean(env.AWS_ENDPOINT_URL_S3 ?? env.AWS_ENDPOINT_URL) });

/** Of the history, which tries once and has little time: what is lost with that is counted. */
const ONCE = { maxAttempts: 1 };

/** `s3` makes the client when it is called: most records need none. */
export const createHistoryClients = (env: Env) => ({
  dynamo: new DynamoDBClient({ requestHandler, ...ONCE }),
  s3: () => createS3(env, ONCE),
});
