import type { CallScope, Host } from "../../lib/runtime/host.ts";

/** What a host call has of its run, for a test that is the runtime: nothing is limited, and nothing ends early. */
export const scopeOf = ({ log }: Host): CallScope => ({
  signal: new AbortController().signal,
  after: 0,
  log,
  admit: () => true,
});
