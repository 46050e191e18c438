import { messageText } from "../events/message.ts";
import type { QueueSender } from "../events/send.ts";
import type { Log } from "../log.ts";
import type { Metrics } from "../metrics.ts";
import { shortKeyDigest } from "./key-digest.ts";
import type { Row } from "./row.ts";
import type { Rejection } from "./settle.ts";

/** Reports a rejected change: sends a reference to a queue, never the key or the session. */
export function createRejections(deps: { send: QueueSender; log: Log; metrics: Metrics }) {
  return async ({ key, version }: Row, rejection: Rejection): Promise<void> => {
    const facts = { key_hash: shortKeyDigest(key), version, ...rejection };
    await deps.send({ body: messageText(facts) });
    const { message: error, ...rest } = facts;
    deps.log.error("change refused", { ...rest, error });
    deps.metrics.count("SyncRefused");
  };
}
