// The message attributes that the consumer and the commands write and read, beside `event_id` and `api_id`.

/** What a message asks for, where that is not all that its event is to do. It goes with each copy of the message. */
export const TASK_ATTRIBUTE = "task";

/** What the consumer says of an event that it gives up, by how much it is needed; it is of that try alone. */
export const VERDICT_ATTRIBUTES = ["reason", "handler", "release", "receives", "error", "answer"] as const;

/** The name of an attribute of a dead letter. */
export type VerdictAttribute = (typeof VERDICT_ATTRIBUTES)[number];

/** Whether an attribute is left out when its dead letter is sent again. */
export const isOfVerdict = (name: string): boolean =>
  (VERDICT_ATTRIBUTES as readonly string[]).includes(name);
