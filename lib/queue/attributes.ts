// The message attributes that the consumer and the commands write and read, in addition to `event_id` and `api_id`.

/** The task of a message that is not for all handlers of its event. Each copy of the message keeps it. */
export const TASK_ATTRIBUTE = "task";

/** The consumer's data about a dead letter, the most important first; it describes only the failed attempt. */
export const VERDICT_ATTRIBUTES = ["reason", "handler", "release", "receives", "error", "answer"] as const;

/** The name of an attribute of a dead letter. */
export type VerdictAttribute = (typeof VERDICT_ATTRIBUTES)[number];

/** Whether a redrive removes this attribute. */
export const isOfVerdict = (name: string): boolean =>
  (VERDICT_ATTRIBUTES as readonly string[]).includes(name);
