import { QueueDoesNotExist } from "@aws-sdk/client-sqs";
import { text } from "../functions/settings.ts";
import { createSqs } from "../functions/sqs.ts";
import { createQueue, type Queue, READ_SECONDS } from "../lib/dead-letters/queue.ts";
import type { Sweep, SweepOptions } from "../lib/dead-letters/sweep.ts";
import { AppError } from "../lib/errors.ts";
import type { FunctionSettingName } from "../lib/settings/function-settings.ts";
import { countOf } from "./terminal/count.ts";
import { interruption } from "./terminal/interrupt.ts";
import { printErrorText } from "./terminal/print.ts";
import { startProgress } from "./terminal/progress.ts";
import { UsageError } from "./terminal/usage.ts";

/** The options of every `gatehook dlq` command. */
export interface DeadLetterOptions {
  /** The maximum number of letters that are read or skipped. */
  max: number;
  json?: boolean;
}

/** An existing queue, with SQS's approximate number of messages. */
export interface OpenQueue {
  queue: Queue;
  size: { visible: number; held: number };
}

/** The queue that a setting of the functions names. */
export async function openQueue(
  name: Extract<FunctionSettingName, `${string}_QUEUE_URL`>,
): Promise<OpenQueue> {
  const queueUrl = text(process.env, name);
  const queue = createQueue({ sqs: createSqs(), queueUrl });
  try {
    return { queue, size: await queue.size() };
  } catch (cause) {
    if (!(cause instanceof QueueDoesNotExist)) throw cause;
    throw new AppError("setting-invalid", `${name} is ${queueUrl}, but there is no such queue`, { cause });
  }
}

/** Sweeps with a progress line, until the end or the first Ctrl+C; `done` returns a text that is added to the line. */
export async function withSweep(
  { queue, size }: OpenQueue,
  { max }: Pick<DeadLetterOptions, "max">,
  work: (queue: Queue, options: SweepOptions) => Promise<Sweep>,
  done: () => string = () => "",
): Promise<Sweep> {
  let read = 0;
  const about = () => Math.max(size.visible, read);
  const progress = startProgress(() => `${read} of about ${about()} messages read${done()}`);
  const onRead = (count: number) => {
    read = count;
  };
  try {
    return await work(queue, { most: max, stop: interruption(), onRead });
  } finally {
    progress.end();
  }
}

/** The approximate number of messages in the queue that were not read. */
const unreadOf = ({ size }: OpenQueue, { read }: Sweep) => Math.max(size.visible + size.held - read, 0);

/** Whether all letters were read; false also where a FIFO queue hides some behind those that were read. */
export function isWhole(open: OpenQueue, found: Sweep): boolean {
  return found.end === "empty" && !(open.queue.fifo && unreadOf(open, found) > 0);
}

/** Prints the number of unread letters and the reason on standard error. */
export function tellRest(open: OpenQueue, found: Sweep, max: number): void {
  const { end, hidden } = found;
  const tell = (line: string) => printErrorText(`gatehook: ${line}`);
  const unread = unreadOf(open, found);
  if (end === "stopped") tell("stopped: there may be more than is shown here");
  if (end === "most")
    tell(`there may be more: it ended at --max ${max}, and about ${unread} messages were not read`);
  if (end === "empty" && open.queue.fifo && unread > 0)
    tell(`about ${unread} more are behind these: a FIFO queue shows them when those before them are removed`);
  else if (end === "empty" && open.size.held > 0 && unread > 0)
    tell(`about ${unread} more are with another reader: they can be read again within a few minutes`);
  if (hidden > 0)
    tell(
      `${hidden} messages are not visible again yet: they come back by themselves within ${READ_SECONDS} s`,
    );
}

/** The target of a command: a group or an event, or undefined for all. */
export function targetOf(target: string | undefined, { all }: { all?: boolean }): string | undefined {
  if (target !== undefined && all) throw new UsageError("name a group or an event, or say --all: not both");
  if (target === undefined && !all)
    throw new UsageError("name a group or an event (gatehook dlq ls lists them), or say --all");
  return target;
}

/** The error `dead-letter-missing`. `read`: the number of dead letters that were read. */
export function notFound(target: string, read: number): AppError {
  const message = `no group and no event is named ${target} among ${countOf(read, "dead letter")}: gatehook dlq ls`;
  return new AppError("dead-letter-missing", message);
}
