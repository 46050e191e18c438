import { randomUUID } from "node:crypto";
import { setTimeout as wait } from "node:timers/promises";
import { SQSClient, type SQSClientConfig } from "@aws-sdk/client-sqs";
import { AppError } from "../lib/errors.ts";
import { createSendCall } from "../lib/events/send.ts";
import { openPublisher, type Publisher, type PublisherDeps } from "../lib/publisher/publisher.ts";

/**
 * The options of a publisher, except for those that come from this machine: the clock, random numbers and the SQS
 * client.
 */
export interface MachineOptions
  extends Pick<PublisherDeps, "queueUrl" | "folder" | "maxBytes" | "redact" | "oversize" | "log"> {
  /** Overrides the SDK's own configuration. */
  client?: SQSClientConfig;
}

/** A publisher with this machine's clock and random numbers, and the credentials that the SDK finds. */
export async function openOnThisMachine({ client, ...options }: MachineOptions): Promise<Publisher> {
  const region = regionIn(options.queueUrl);
  const sqs = new SQSClient({
    ...(region !== undefined && { region }),
    // The publisher itself repeats failed calls.
    maxAttempts: 1,
    requestHandler: { connectionTimeout: 2_000, requestTimeout: 15_000, throwOnRequestTimeout: true },
    ...client,
  });
  await checkRegion(sqs);
  return openPublisher({
    ...options,
    call: createSendCall({ sqs, queueUrl: options.queueUrl }),
    newId: randomUUID,
    now: Date.now,
    random: Math.random,
    delay: (ms, signal) => wait(ms, undefined, { signal }).catch(() => {}),
  });
}

async function checkRegion(sqs: SQSClient): Promise<void> {
  try {
    await sqs.config.region();
  } catch (cause) {
    throw new AppError("setting-invalid", "the region of the queue is not known: set AWS_REGION", { cause });
  }
}

/** The URL of an AWS queue contains the region, which a machine often does not have. */
export function regionIn(queueUrl: string): string | undefined {
  const [, region] =
    /^https:\/\/(?:[^/]+\.)?sqs(?:-fips)?\.([a-z\d-]+)\.(?:vpce\.)?amazonaws\.com/.exec(queueUrl) ?? [];
  return region;
}
