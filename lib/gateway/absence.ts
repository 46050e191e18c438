import type { Gateway } from "./client.ts";
import { orgOf } from "./key-name.ts";
import type { Members } from "./merge.ts";

/** Whether the gateway has lost a key for good, as far as it can be known. */
export type Absence = "absent" | "there" | "unknown";

export interface AbsenceDeps {
  /** The name of a key that is always there. */
  canary: string;
  /** How long one answer may take, in ms: a store that comes and goes is slow. */
  quickMs: number;
  /** Whether one more key may be found absent: many of them look like a gateway whose store was emptied. */
  admit: () => Promise<boolean>;
  /** The canary is made once: when it was there and is gone, that is a reason to stop. */
  wasCanaryMade: () => Promise<boolean>;
  noteCanaryMade: () => Promise<void>;
  onHeld: (why: "canary-missing" | "too-many") => void;
  now: () => number;
}

/**
 * While its store is away, a gateway answers for each key as if it had been deleted. So a key is absent only if another
 * one that must be there, the canary, is seen before, between and after two looks at it, each quickly.
 */
export function createAbsence(deps: AbsenceDeps): (gateway: Gateway, key: string) => Promise<Absence> {
  const { canary } = deps;

  const isThere = async (gateway: Gateway, key: string) =>
    key === canary ? isCanaryThere(gateway, canary) : (await gateway.get(key)) !== "missing";

  async function whenCanaryMissing(gateway: Gateway): Promise<void> {
    deps.onHeld("canary-missing");
    if (await deps.wasCanaryMade()) return;
    if ((await makeCanary(gateway, canary)) === "done") await deps.noteCanaryMade();
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
    if (await deps.admit()) return "absent";
    deps.onHeld("too-many");
    return "unknown";
  };
}

/** The organisation of the canary, and the API that it has rights to: neither is anybody's. */
export const CANARY_ORG = "gatehook-canary";

export const isCanaryThere = async (gateway: Pick<Gateway, "get">, canary: string) =>
  (await gateway.get(canary, { orgId: CANARY_ORG, hashed: false })) !== "missing";

/** Whether a key is the canary, under the name it was given or the one that the gateway made of that. */
export const isCanary = (key: string, canary: string) =>
  key === canary || key === CANARY_ORG + canary || orgOf(key) === CANARY_ORG;

/** How the gateway answered. It would overwrite one that is there. */
export const makeCanary = async (gateway: Pick<Gateway, "create">, canary: string) =>
  (await gateway.create(canary, canarySession())).kind;

/** A key that opens nothing. */
const canarySession = (): Members => ({
  org_id: CANARY_ORG,
  is_inactive: true,
  alias: "gatehook looks at this key to know that the gateway has its keys: do not delete it",
  rate: 1,
  per: 60,
  quota_max: -1,
  access_rights: { [CANARY_ORG]: { api_id: CANARY_ORG, versions: ["Default"] } },
});
