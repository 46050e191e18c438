import { ChangeMessageVisibilityBatchCommand, type SQSClient } from "@aws-sdk/client-sqs";
import { errorText } from "../errors.ts";
import type { Log } from "../log.ts";
import type { QueueRecord } from "./records.ts";

/** A record that stays in the queue, and the seconds until SQS delivers it again. */
export interface VisibilityChange {
  record: QueueRecord;
  seconds: number;
}

/**
 * Sets when the queue delivers these records again. Never throws: after an error the queue's visibility timeout
 * applies.
 */
export type ChangeVisibility = (returns: VisibilityChange[]) => Promise<void>;

/** SQS's own limit of one call. */
const ENTRIES = 10;

/** Ten records in a call, all calls at the same time. Errors are logged. */
export function createChangeVisibility(deps: {
  sqs: SQSClient;
  queueUrl: string;
  log: Log;
}): ChangeVisibility {
  const { sqs, queueUrl, log } = deps;
  async function change(returns: VisibilityChange[]): Promise<void> {
    const Entries = returns.map(({ record, seconds }, index) => ({
      Id: String(index),
      ReceiptHandle: record.receiptHandle,
      VisibilityTimeout: seconds,
    }));
    try {
      const { Failed = [] } = await sqs.send(
        new ChangeMessageVisibilityBatchCommand({ QueueUrl: queueUrl, Entries }),
      );
      if (Failed.length > 0)
        log.warn("visibility not changed", { records: Failed.length, error: Failed[0]?.Message });
    } catch (thrown) {
      log.warn("visibility not changed", { records: returns.length, error: errorText(thrown) });
    }
  }
  return async (returns) => {
    const calls = [];
    for (let at = 0; at < returns.length; at += ENTRIES) calls.push(change(returns.slice(at, at + ENTRIES)));
    await Promise.all(calls);
  };
}
