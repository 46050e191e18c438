import type { CallScope, Host } from "../../lib/runtime/host.ts";

/** The scope of a host call, for a test that takes the place of the runtime: without limits, and never aborted. */
export const scopeOf = ({ log }: Host): CallScope => ({
  signal: new AbortController().signal,
  after: 0,
  log,
  admit: () => true,
});
