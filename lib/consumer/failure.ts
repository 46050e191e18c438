import type { Verdict } from "../queue/dead-letters.ts";

/** Why an event's work does not count, and what may fix that. */
export interface Failure extends Verdict {
  /**
   * `final`: nothing will. `handler`: another attempt may. `dependency`, `conflict`: time will, and it was not the
   * event's fault, so it costs no attempt. With a `dependency` the events after it would fail too.
   */
  kind: "final" | "handler" | "dependency" | "conflict";
}
