import type { Canary } from "./canary.ts";
import type { Gateway } from "./client.ts";

/** Whether the gateway has lost a key for good, as far as it can be known. */
export type Absence = "absent" | "there" | "unknown";

/** `now` in ms. */
export interface AbsenceDeps {
  /** A key that is always there. */
  canary: Canary;
  /** How long one answer may take, in ms: a store that comes and goes is slow. */
  quickMs: number;
  /** The canary is made once: when it existed and is gone, nothing is believed any more. */
  wasCanaryMade: () => Promise<boolean>;
  noteCanaryMade: () => Promise<void>;
  /** Called when the canary is missing: then no absence can be proven. */
  onCanaryMissing: () => void;
  now: () => number;
}

/**
 * While its store is away, a gateway answers for each key as if it had been deleted. So a key is absent only if another
 * one that must be there, the canary, is seen before, between and after two looks at it, each quickly.
 */
export function createAbsence(deps: AbsenceDeps): (gateway: Gateway, key: string) => Promise<Absence> {
  const { canary } = deps;

  const isThere = async (gateway: Gateway, asked: string | Canary) =>
    typeof asked === "string" ? (await gateway.get(asked)) !== "missing" : asked.isThere(gateway);

  async function whenCanaryMissing(gateway: Gateway): Promise<void> {
    deps.onCanaryMissing();
    if (await deps.wasCanaryMade()) return;
    if (await canary.make(gateway)) await deps.noteCanaryMade();
  }

  return async (gateway, key) => {
    for (const asked of [canary, key, canary, key, canary]) {
      const started = deps.now();
      const there = await isThere(gateway, asked);
      if (asked === key && there) return "there";
      if (asked === canary && !there) {
        await whenCanaryMissing(gateway);
        return "unknown";
      }
      if (deps.now() - started > deps.quickMs) return "unknown";
    }
    return "absent";
  };
}
