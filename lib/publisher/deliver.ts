import { errorText } from "../errors.ts";
import { withoutRepeatedGroups } from "../events/fifo.ts";
import type { Message } from "../events/message.ts";
import { callsOf, type Rejection, type SendCall } from "../events/send.ts";

/** The result of an event: the queue has it, rejects it permanently, or may accept it later. */
export type Verdict = "sent" | { refused: string } | { later: string };

/** Sends the first events of a list that can be sent together; returns the result of each. */
export type Deliver = (messages: Message[], cut: AbortSignal) => Promise<Map<Message, Verdict>>;

/** Concurrent calls for a standard queue. */
const CALLS = 4;

/** SQS's error codes for invalid messages, rather than an invalid call. */
const OF_MESSAGES = /^(InvalidMessageContents|InvalidParameterValue|BatchRequestTooLong)/;
/** Errors that the queue's owner can fix: no event is rejected because of them, even if SQS reports a sender fault. */
const OF_THE_QUEUE = /kms|access|denied|throttl/i;

/**
 * Makes up to four concurrent calls of ten messages; one for a FIFO queue. If SQS rejects a whole call because of its
 * messages, they are sent again one by one. Never rejects.
 */
export function createDeliver({ call, queueUrl }: { call: SendCall; queueUrl: string }): Deliver {
  const isFifo = queueUrl.endsWith(".fifo");

  /** For a FIFO queue one call with one event of each group, so that later events cannot overtake a failed one. */
  function nextCalls(messages: Message[]): Message[][] {
    const calls = callsOf(withoutRepeatedGroups(queueUrl, messages));
    return calls.slice(0, isFifo ? 1 : CALLS);
  }

  async function send(messages: Message[], cut: AbortSignal): Promise<[Message, Verdict][]> {
    try {
      const rejections = await call(messages, cut);
      return messages.map((message) => [message, verdictOf(rejections.get(message))]);
    } catch (thrown) {
      const error = errorText(thrown);
      if (!OF_MESSAGES.test((thrown as Error).name))
        return messages.map((message) => [message, { later: error }]);
      if (messages.length === 1) return messages.map((message) => [message, { refused: error }]);
      const alone: [Message, Verdict][] = [];
      for (const message of messages) alone.push(...(await send([message], cut)));
      return alone;
    }
  }

  return async (messages, cut) =>
    new Map((await Promise.all(nextCalls(messages).map((each) => send(each, cut)))).flat());
}

function verdictOf(rejection: Rejection | undefined): Verdict {
  if (!rejection) return "sent";
  const { own, error } = rejection;
  return own && !OF_THE_QUEUE.test(error) ? { refused: error } : { later: error };
}
