import type { Log } from "../log.ts";
import type { Metrics } from "../metrics.ts";
import { type Change, keyDigest } from "./changes.ts";
import type { SendRefusal } from "./dead-letters.ts";
import type { Verdict } from "./verdict.ts";

/** Tells how changes end: in the log, in the metrics and, of those that are refused, in their queue. */
export interface Report {
  taken(change: Change, verdict: Verdict): void;
  /** The change counts as done only when the queue has it. */
  refused(change: Change, verdict: Verdict): Promise<void>;
}

export function createReport(deps: { sendRefusal: SendRefusal; log: Log; metrics: Metrics }): Report {
  const { sendRefusal, log, metrics } = deps;
  return {
    taken(change, { status }) {
      log.info("session sent", { ...referenceTo(change), status });
      metrics.count("SessionsSynced");
    },
    async refused(change, { status, message }) {
      const reference = { ...referenceTo(change), status };
      await sendRefusal({ ...reference, message });
      log.error("change refused", { ...reference, error: message });
      metrics.count("SyncRefused");
    },
  };
}

/** Never the key or the session. */
export const referenceTo = ({ key, sequenceNumber, action }: Change) => ({
  key_sha256: keyDigest(key),
  sequence_number: sequenceNumber,
  operation: action.operation === "delete" ? ("delete" as const) : ("put" as const),
});
