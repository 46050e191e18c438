import {
  CreateQueueCommand,
  GetQueueAttributesCommand,
  GetQueueUrlCommand,
  QueueDoesNotExist,
  SetQueueAttributesCommand,
  type SQSClient,
} from "@aws-sdk/client-sqs";

/** The options of the queues. `receiveLimit`: the maxReceiveCount of the events queue. */
export interface QueueOptions {
  prefix: string;
  visibilitySeconds: number;
  receiveLimit: number;
  /** Queues that keep the order of each group. */
  fifo?: boolean | undefined;
}

const FOURTEEN_DAYS = "1209600";

/** Creates the queues, or sets the required attributes of existing ones. */
export async function createQueues(sqs: SQSClient, options: QueueOptions, abortSignal: AbortSignal) {
  const { prefix, visibilitySeconds, receiveLimit, fifo = false } = options;
  const abort = { abortSignal };
  const ending = fifo ? ".fifo" : "";

  async function urlOf(QueueName: string): Promise<string | undefined> {
    try {
      return (await sqs.send(new GetQueueUrlCommand({ QueueName }), abort)).QueueUrl;
    } catch (thrown) {
      if (thrown instanceof QueueDoesNotExist) return undefined;
      throw thrown;
    }
  }

  async function createQueue(QueueName: string, attributes: Record<string, string>): Promise<string> {
    const there = await urlOf(QueueName);
    if (there) {
      const url = await atEndpoint(sqs, there);
      await sqs.send(new SetQueueAttributesCommand({ QueueUrl: url, Attributes: attributes }), abort);
      return url;
    }
    const kind = QueueName.endsWith(".fifo") ? { FifoQueue: "true" } : {};
    const create = new CreateQueueCommand({ QueueName, Attributes: { ...kind, ...attributes } });
    return atEndpoint(sqs, (await sqs.send(create, abort)).QueueUrl);
  }

  async function arnOf(QueueUrl: string): Promise<string | undefined> {
    const command = new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ["QueueArn"] });
    return (await sqs.send(command, abort)).Attributes?.QueueArn;
  }

  const deadLetters = await createQueue(`${prefix}-dead-letters${ending}`, {
    MessageRetentionPeriod: FOURTEEN_DAYS,
  });
  return {
    DEAD_LETTERS_QUEUE_URL: deadLetters,
    EVENTS_QUEUE_URL: await createQueue(`${prefix}-events${ending}`, {
      VisibilityTimeout: String(visibilitySeconds),
      RedrivePolicy: JSON.stringify({
        deadLetterTargetArn: await arnOf(deadLetters),
        maxReceiveCount: receiveLimit,
      }),
    }),
    SYNC_DEAD_LETTERS_QUEUE_URL: await createQueue(`${prefix}-sync-dead-letters`, {
      MessageRetentionPeriod: FOURTEEN_DAYS,
    }),
    SYNC_QUEUE_URL: await createQueue(`${prefix}-sync`, { VisibilityTimeout: "60" }),
  };
}

/**
 * The queue's URL with the host of the endpoint: an emulator's own URLs have hosts that do not resolve, or that are not
 * host names at all.
 */
export async function atEndpoint(sqs: SQSClient, queueUrl = ""): Promise<string> {
  const { protocol, hostname, port } = (await sqs.config.endpoint?.()) ?? { protocol: "", hostname: "" };
  const path = queueUrl.split("/").slice(3).join("/");
  return `${protocol}//${hostname}${port ? `:${port}` : ""}/${path}`;
}
