import type { Canary } from "./canary.ts";
import type { Gateway } from "./client.ts";

/** Whether the gateway has permanently deleted a key, as far as this can be known. */
export type Absence = "absent" | "there" | "unknown";

/** `now` in ms. */
export interface AbsenceDeps {
  /** A key that always exists. */
  canary: Canary;
  /** How long one answer may take, in ms: a store with interruptions is slow. */
  quickMs: number;
  /** The canary is created once: if it existed and is missing now, no absence is accepted any more. */
  wasCanaryMade: () => Promise<boolean>;
  noteCanaryMade: () => Promise<void>;
  /** Called if the canary is missing: then absence cannot be proven. */
  onCanaryMissing: () => void;
  now: () => number;
}

/**
 * While its store is unavailable, a gateway answers for each key as if it had been deleted. So a key counts as absent
 * only if another key that must exist, the canary, is found before, between and after two reads of the key, all of them
 * fast.
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
