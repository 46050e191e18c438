import type { Verdict } from "../queue/dead-letters.ts";

/** Why an event failed, and whether a retry may help. */
export interface Failure extends Verdict {
  /**
   * `final`: a retry cannot help. `handler`: another attempt may succeed. `dependency`, `later`: it will succeed later,
   * and does not count as an attempt. After a `dependency` the next events would fail too.
   */
  kind: "final" | "handler" | "dependency" | "later";
}
