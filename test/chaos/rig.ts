import { randomUUID } from "node:crypto";
import { fileURLToPath } from "node:url";
import { type LocalAws, startAws } from "../../local/aws.ts";
import { readSourceFiles } from "../../local/files.ts";
import type { LocalFunctionOptions } from "../../local/lambda/lambda.ts";
import { type Stack, startStack } from "../../local/stack.ts";
import { type DynamoProxy, type Step, startProxy } from "./proxy.ts";

/** The local stack with several consumers, each of which reaches DynamoDB through a proxy of its own. */
export interface Rig {
  stack: Stack;
  /** Resolves when no call to DynamoDB is in progress. */
  idle(): Promise<void>;
  close(): Promise<void>;
}

export interface RigOptions {
  env: Record<string, string | undefined>;
  consumers: number;
  fifo?: boolean;
  settings?: Record<string, string>;
  /** Host and port of the receiver of webhooks, if any. */
  receiver?: string;
  /** The step of the proxy of the n-th consumer. */
  step: (nth: number) => Step;
  onMoment?: LocalFunctionOptions["onMoment"];
  onLine?: (functionName: string, line: string) => void;
  onError?: (error: Error) => void;
}

/** The visibility timeout: short, so that the messages of a dead consumer are soon delivered to another. */
export const VISIBILITY_SECONDS = 4;
/** Only a safeguard: the consumer gives events up long before. */
const RECEIVE_LIMIT = 100;

/** The placeholder of the receiver in the release: its port is known only when it is running. */
const RECEIVER = "receiver.invalid";
const RELEASE = fileURLToPath(new URL("./release", import.meta.url));

/** Every other consumer runs two events at a time, isolated from each other. */
const SETTINGS: Record<string, string>[] = [{}, { RUNTIME_ISOLATION: "event", RUNTIME_WORKERS: "2" }];

export async function startRig(options: RigOptions): Promise<Rig> {
  const aws = await startAws(options.env);
  const proxies: DynamoProxy[] = [];
  const closeBelow = async () => {
    await Promise.all(proxies.map((proxy) => proxy.close()));
    await aws.close();
  };
  try {
    for (let nth = 0; nth < options.consumers; nth += 1) {
      proxies.push(await startProxy(aws.env.AWS_ENDPOINT_URL_DYNAMODB ?? "", options.step(nth)));
    }
    const stack = await startStackWith(aws, proxies, options);
    return {
      stack,
      idle: async () => {
        await Promise.all(proxies.map((proxy) => proxy.idle()));
      },
      async close() {
        await stack.close();
        await closeBelow();
      },
    };
  } catch (thrown) {
    await closeBelow();
    throw thrown;
  }
}

async function startStackWith(aws: LocalAws, proxies: DynamoProxy[], options: RigOptions): Promise<Stack> {
  const { settings, receiver = RECEIVER, onMoment, onLine, onError } = options;
  const stack = await startStack({
    port: 0,
    env: aws.env,
    prefix: `chaos-${randomUUID().slice(0, 8)}`,
    visibilitySeconds: VISIBILITY_SECONDS,
    receiveLimit: RECEIVE_LIMIT,
    fifo: options.fifo ?? false,
    ...(onLine && { onLine }),
    ...(onError && { onError }),
    consumers: proxies.map(({ url }, nth) => ({
      settings: {
        ...settings,
        ...SETTINGS[nth % SETTINGS.length],
        AWS_ENDPOINT_URL_DYNAMODB: url,
        ...(options.receiver && { HTTP_ALLOW_HOSTS: receiver }),
      },
      ...(onMoment && { onMoment }),
    })),
  });
  try {
    const files = await readSourceFiles(RELEASE);
    await Promise.all(
      files.map((file) =>
        stack.releases.writeSource({ ...file, text: file.text.replaceAll(RECEIVER, receiver) }),
      ),
    );
    await stack.release();
    return stack;
  } catch (thrown) {
    await stack.close();
    throw thrown;
  }
}
