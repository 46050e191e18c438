import { setTimeout as delay } from "node:timers/promises";
import { createQueue } from "../../lib/dead-letters/queue.ts";
import type { Stack } from "../../local/stack.ts";
import { countOf } from "../terminal/count.ts";

const ASK_MS = 1_000;

/**
 * A line about the data of the stack's embedded services that is lost, or kept in a folder. Undefined if it has none.
 */
export async function lossLine(stack: Stack, keptIn: string | undefined): Promise<string | undefined> {
  const { embedded } = stack;
  const things = [
    ...(embedded.has("DYNAMODB") ? ["sessions"] : []),
    ...(embedded.has("S3") ? ["releases"] : []),
    ...(embedded.has("SQS") ? await waiting(stack) : []),
  ];
  if (things.length === 0) return undefined;
  const list = things.join(", ").replace(/, ([^,]*)$/, " and $1");
  return keptIn
    ? `Kept in ${keptIn} for the next start with --persist: ${list}.`
    : `Gone with this stack: ${list}. --persist keeps them.`;
}

/** An approximate number, and only if the queues answer soon. */
async function waiting({ clients: { sqs }, resources }: Stack): Promise<string[]> {
  const queues = {
    "unfinished event": resources.EVENTS_QUEUE_URL,
    "dead letter": resources.DEAD_LETTERS_QUEUE_URL,
  };
  const counts = Promise.all(
    Object.entries(queues).map(async ([what, queueUrl]) => {
      const { visible, held } = await createQueue({ sqs, queueUrl }).size();
      return { what, count: visible + held };
    }),
  );
  const known = await Promise.race([counts, delay(ASK_MS, [], { ref: false })]).catch(() => []);
  return known.flatMap(({ what, count }) => (count > 0 ? [countOf(count, what)] : []));
}
