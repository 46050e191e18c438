import { startFauxqs } from "fauxqs";
import { type Service, startDynamo } from "./dynamodb.ts";

/** Where the stack's AWS services answer: embedded ones, unless the environment names others. */
export interface LocalAws {
  /** What every client, here and in the functions, finds in its environment. */
  env: Record<string, string>;
  close(): Promise<void>;
}

type Env = Record<string, string | undefined>;

/** Any AWS_ENDPOINT_URL_DYNAMODB, _SQS or _S3 that is set replaces the embedded service. */
export async function startAws(env: Env): Promise<LocalAws> {
  const services: Service[] = [];
  const embed = async (start: () => Promise<Service>) => {
    const service = await start();
    services.push(service);
    return service.endpoint;
  };
  const close = async () => {
    await Promise.all(services.map((service) => service.close()));
  };
  try {
    const given = { sqs: env.AWS_ENDPOINT_URL_SQS, s3: env.AWS_ENDPOINT_URL_S3 };
    const [dynamo, queueAndBucket] = await Promise.all([
      env.AWS_ENDPOINT_URL_DYNAMODB ?? embed(startDynamo),
      given.sqs && given.s3 ? "" : embed(startQueueAndBucket),
    ]);
    return {
      env: {
        AWS_REGION: env.AWS_REGION ?? "us-east-1",
        AWS_ACCESS_KEY_ID: env.AWS_ACCESS_KEY_ID ?? "local",
        AWS_SECRET_ACCESS_KEY: env.AWS_SECRET_ACCESS_KEY ?? "local",
        AWS_ENDPOINT_URL_DYNAMODB: dynamo,
        AWS_ENDPOINT_URL_DYNAMODB_STREAMS: env.AWS_ENDPOINT_URL_DYNAMODB_STREAMS ?? dynamo,
        AWS_ENDPOINT_URL_SQS: given.sqs ?? queueAndBucket,
        AWS_ENDPOINT_URL_S3: given.s3 ?? queueAndBucket,
      },
      close,
    };
  } catch (thrown) {
    await close();
    throw thrown;
  }
}

async function startQueueAndBucket(): Promise<Service> {
  const server = await startFauxqs({ port: 0, host: "127.0.0.1", logger: false });
  return { endpoint: `http://127.0.0.1:${server.port}`, close: () => server.stop() };
}
