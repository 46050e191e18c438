import type { Gateway } from "./client.ts";

/** Whether the gateway has lost a key for good, as far as it can be known. */
export type Absence = "absent" | "there" | "unknown";

/**
 * While its store is away, a gateway answers for each key as if it had been deleted. So a key is absent only if another
 * one that must be there, the canary, is seen before, between and after two looks at it, each quickly.
 */
export function createAbsence(deps: {
  /** The canary's key. */
  canary: string;
  /** How long one answer may take, in ms: a store that comes and goes is slow. */
  quickMs: number;
  now: () => number;
  /** The canary is not there: nothing can be proven. */
  onCanaryMissing: () => void;
}): (gateway: Gateway, key: string) => Promise<Absence> {
  return async (gateway, key) => {
    for (const asked of [deps.canary, key, deps.canary, key, deps.canary]) {
      const started = deps.now();
      const look = await gateway.get(asked, asked === deps.canary ? { hashed: false } : {});
      const quick = deps.now() - started <= deps.quickMs;
      if (asked === key && look !== "missing") return "there";
      if (asked === deps.canary && look === "missing") {
        deps.onCanaryMissing();
        return "unknown";
      }
      if (!quick) return "unknown";
    }
    return "absent";
  };
}
