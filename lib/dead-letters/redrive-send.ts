import { AppError } from "../errors.ts";
import { CALL_BYTES, CALL_MESSAGES, type Rejection } from "../events/send.ts";
import type { RateLimit } from "../rate-limit.ts";
import type { Letter } from "./letter.ts";
import type { Queue } from "./queue.ts";
import { nextCall, type RedriveMessage } from "./redrive-message.ts";

/** `pace` limits what is sent, in messages. `newId` makes deduplication ids for a FIFO queue. */
export interface RedriveSendDeps {
  deadLetters: Queue;
  events: Queue;
  pace: RateLimit;
  newId: () => string;
}

/** What became of the letters, in numbers. */
export interface SendTally {
  sent: number;
  /** The number of sent letters that are still in the dead-letter queue: sending them again does no harm. */
  not_removed: number;
  /** Not removed, because the events queue did not accept them. */
  failed: { event_id: string; error: string }[];
  /** Kept for another redrive. */
  later: number;
}

/**
 * Sends events, and only then deletes their letters; returns the deleted letters. A process that dies in between leaves
 * an event in both queues with the same identity, and the consumer's ledger ensures that it takes effect once.
 */
export function createRedriveSend(
  { deadLetters, events, pace, newId }: RedriveSendDeps,
  tally: SendTally,
  perCall = CALL_MESSAGES,
): (messages: RedriveMessage[]) => Promise<Letter[]> {
  async function send(call: RedriveMessage[]): Promise<Map<RedriveMessage, Rejection>> {
    const rejections = await events.send(
      call.map(({ letter, attributes, orderGroup }, at) => ({
        id: String(at),
        body: letter.body,
        attributes,
        ...(orderGroup !== undefined && { orderGroup }),
        // A new id each time: SQS drops a message with the id of a message of the last five minutes.
        ...(events.fifo && { deduplicationId: newId() }),
      })),
    );
    const refused = call.flatMap((outgoing, at) => {
      const rejection = rejections.get(String(at));
      return rejection ? [[outgoing, rejection] as const] : [];
    });
    return new Map(refused);
  }

  /** Sends a call without the messages that are too large. Throws `queue-failed` if the queue accepts none of them. */
  async function sendOrReject(call: RedriveMessage[]): Promise<Map<RedriveMessage, Rejection>> {
    const [first] = call;
    const refused = first && first.bytes > CALL_BYTES ? new Map([[first, TOO_LARGE]]) : await send(call);
    tally.sent += call.length - refused.size;
    for (const [{ eventId }, { error }] of refused) tally.failed.push({ event_id: eventId, error });
    const faults = [...refused.values()].filter(({ own }) => !own);
    if (faults.length === call.length)
      throw new AppError("queue-failed", `the events queue takes nothing: ${faults[0]?.error}`);
    return refused;
  }

  return async (messages) => {
    const gone: Letter[] = [];
    for (let waiting = messages; waiting.length > 0; ) {
      const call = nextCall(waiting, perCall, events.fifo);
      if (!(await pace(call.length))) break;
      const refused = await sendOrReject(call);
      const sent = call.filter((outgoing) => !refused.has(outgoing)).map(({ letter }) => letter);
      const stuck = new Set(await deadLetters.remove(sent));
      tally.not_removed += stuck.size;
      gone.push(...sent.filter((letter) => !stuck.has(letter)));
      const rest = waiting.filter((outgoing) => !call.includes(outgoing));
      const held = new Set(events.fifo ? [...refused.keys()].map(({ orderGroup }) => orderGroup) : []);
      waiting = rest.filter(({ orderGroup }) => !held.has(orderGroup));
      tally.later += rest.length - waiting.length;
    }
    return gone;
  };
}

const TOO_LARGE: Rejection = {
  error: `with its event_id the message is larger than the ${CALL_BYTES} bytes that the queue takes`,
  own: true,
};
