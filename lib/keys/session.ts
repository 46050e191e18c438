import { valueIn } from "../json.ts";
import type { Session } from "../sessions/session.ts";

// Changes a gateway makes to a session in its key API.

type Rights = NonNullable<Session["access_rights"]>;
type Right = Rights[string];
type Limit = NonNullable<Right["limit"]>;
type Quota = Pick<Limit, "quota_max" | "quota_remaining" | "quota_renews">;

/** Tags are a set; a limit of an API applies to that API, and its remaining quota is never taken from the body. */
export function withScopes(session: Session): Session {
  return {
    ...session,
    ...(session.tags && { tags: [...new Set(session.tags)] }),
    ...mapRights(session, (right, apiId) => {
      if (isEmpty(right.limit)) return right;
      return { ...right, limit: after(0, right.limit), allowance_scope: apiId };
    }),
  };
}

/** With `suppress_reset=1`: periods that are running at `now`, in unix seconds, continue with their used quota. */
export function withCounters(session: Session, before: Session, now: number): Session {
  return {
    ...(isRunning(before, now) ? after(usedOf(before), session) : session),
    quota_renews: before.quota_renews ?? 0,
    last_updated: before.last_updated ?? "",
    ...mapRights(session, (right, apiId) => {
      const limit = limitOf(before, apiId);
      if (isEmpty(right.limit) || isEmpty(limit)) return right;
      const used = isRunning(limit, now) ? usedOf(limit) : 0;
      return { ...right, limit: { ...after(used, right.limit), quota_renews: limit.quota_renews ?? 0 } };
    }),
  };
}

function limitOf({ access_rights = {} }: Session, apiId: string): Limit | undefined {
  return valueIn(access_rights, apiId)?.limit;
}

const isRunning = ({ quota_max = 0, quota_renews = 0 }: Quota, now: number) =>
  quota_max > 0 && quota_renews > now;

/** A gateway counts uses; here there is only the remaining quota. */
const usedOf = ({ quota_max = 0, quota_remaining = 0 }: Quota) => quota_max - quota_remaining;

/** After the same number of uses a larger quota leaves more and a smaller one less; 0 means no quota, -1 unlimited. */
function after<T extends Quota>(used: number, limits: T): T {
  const { quota_max = 0 } = limits;
  return quota_max > 0 ? { ...limits, quota_remaining: Math.max(0, quota_max - used) } : limits;
}

const isEmpty = (limit: Limit | undefined): limit is undefined =>
  !limit || Object.values(limit).every((value) => !value);

function mapRights({ access_rights }: Session, change: (right: Right, apiId: string) => Right) {
  if (!access_rights) return {};
  const rights = Object.entries(access_rights).map(
    ([apiId, right]) => [apiId, change(right, apiId)] as const,
  );
  return { access_rights: Object.fromEntries(rights) };
}

/**
 * The gateway's message for a session with policies that it does not have; undefined for a session without policies.
 * Here there are none, so every session that names one is rejected.
 */
export function policyProblem({ apply_policies = [], apply_policy_id }: Session): string | undefined {
  const ids = apply_policies.length > 0 || !apply_policy_id ? apply_policies : [apply_policy_id];
  if (ids.length === 0) return undefined;
  return ids.length === 1
    ? `policy not found: ${JSON.stringify(ids[0])}`
    : "key has no valid policies to be applied";
}

/**
 * Whether the session grants access to any API: a gateway rejects one that does not, unless master keys are allowed.
 */
export const hasRights = ({ access_rights = {} }: Session) => Object.keys(access_rights).length > 0;
