import { quote } from "../../lib/go/text.ts";
import type { AccessRights, Limit, Policy } from "./config.ts";
import type { Draft } from "./draft.ts";

const PARTS = ["acl", "quota", "rate_limit", "complexity"] as const;
type Part = (typeof PARTS)[number];

/** What is decided for one API so far, by whom, and which parts of it. */
interface Ruling {
  right: AccessRights[string] & { limit: Limit };
  decided: Set<Part>;
  setBy: string;
}

/**
 * Puts what a session's policies say into it, as a gateway does at each write, read and use. Returns what is wrong;
 * the session is then as far changed as the gateway leaves it. GraphQL, throttling and smoothing are not modelled,
 * nor more than one per-API policy for an API.
 */
export function applyPolicies(session: Draft, policies: Policy[], apiOrgId?: string): string | undefined {
  const ids = policyIds(session);
  const orgId = session.org_id || apiOrgId;
  const named = ids.map((id) => policies.find((policy) => policy.id === id && policy.org_id === orgId));
  makeRoom(session, named);
  if (ids.length === 0) {
    session.tags = [...new Set(session.tags)];
    scopeLimits(session);
    return undefined;
  }
  if (ids.length === 1 && !named[0]) return `policy not found: ${quote(ids[0] ?? "")}`;
  const known = named.filter((policy) => policy !== undefined);
  if (known.some((policy) => apiOrgId !== undefined && policy.org_id !== apiOrgId))
    return "attempting to apply policy from different organisation to key, skipping";

  const rulings = new Map<string, Ruling>();
  for (const policy of known) rule(policy, session, rulings);
  session.is_inactive = known.some((policy) => policy.is_inactive);
  session.tags = [...new Set([...known.flatMap((policy) => policy.tags ?? []), ...(session.tags ?? [])])];
  session.meta_data = Object.assign({ ...session.meta_data }, ...known.map((policy) => policy.meta_data));
  return conclude(session, rulings);
}

export function policyIds({ apply_policies, apply_policy_id }: Draft): string[] {
  if (apply_policies?.length) return apply_policies;
  return apply_policy_id ? [apply_policy_id] : [];
}

export const isEmptyLimit = (limit: Limit | undefined) =>
  !limit || Object.values(limit).every((value) => !value);

/** So that a session's own higher values do not win; up to the first policy that is not there. */
function makeRoom(session: Draft, policies: (Policy | undefined)[]): void {
  for (const policy of policies) {
    if (!policy) return;
    const parts = partsOf(policy);
    if (parts.has("quota")) Object.assign(session, { quota_max: 0, quota_remaining: 0 });
    if (parts.has("rate_limit")) Object.assign(session, { rate: 0, per: 0 });
  }
}

/** A policy that names no part decides all of them. */
function partsOf({ partitions = {} }: Policy): Set<Part> {
  const named = PARTS.filter((part) => part !== "complexity" && partitions[part]);
  return new Set(named.length > 0 ? named : PARTS);
}

function scopeLimits({ access_rights }: Draft): void {
  for (const [apiId, right] of Object.entries(access_rights ?? {}))
    if (!isEmptyLimit(right.limit)) right.allowance_scope = apiId;
}

function rule(policy: Policy, session: Draft, rulings: Map<string, Ruling>): void {
  if (policy.partitions?.per_api) rulePerApi(policy, session, rulings);
  else rulePartitions(policy, session, rulings);
}

function rulePerApi(policy: Policy, session: Draft, rulings: Map<string, Ruling>): void {
  for (const [apiId, given] of Object.entries(policy.access_rights)) {
    const right = structuredClone(given);
    const setBy = isEmptyLimit(right.limit) ? policy.id : apiId;
    const limit = isEmptyLimit(right.limit) ? limitOf(policy) : { ...right.limit };
    keepRenewal(limit, session, apiId);
    const ruled = { ...right, limit, allowance_scope: setBy };
    rulings.set(apiId, { right: ruled, decided: new Set(PARTS), setBy });
  }
}

function rulePartitions(policy: Policy, session: Draft, rulings: Map<string, Ruling>): void {
  const parts = partsOf(policy);
  for (const [apiId, { versions, allowed_urls }] of Object.entries(policy.access_rights)) {
    const ruling = rulings.get(apiId) ?? { right: { limit: {} }, decided: new Set(), setBy: "" };
    const { right, decided } = ruling;
    for (const part of parts) decided.add(part);
    if (parts.has("acl")) {
      right.versions = [...new Set([...(right.versions ?? []), ...(versions ?? [])])];
      right.allowed_urls = [...(right.allowed_urls ?? []), ...structuredClone(allowed_urls ?? [])];
      ruling.setBy = policy.id;
    }
    if (parts.has("quota")) for (const limits of [right.limit, session]) raiseQuota(limits, policy);
    if (parts.has("rate_limit")) for (const limits of [right.limit, session]) raiseRate(limits, policy);
    keepRenewal(right.limit, session, apiId);
    rulings.set(apiId, ruling);
  }
  if (Object.keys(policy.access_rights).length > 0) return;
  if (parts.has("rate_limit")) Object.assign(session, { rate: policy.rate, per: policy.per });
  const { quota_max, quota_renewal_rate } = policy;
  if (parts.has("quota")) Object.assign(session, { quota_max, quota_renewal_rate });
}

function limitOf({ rate, per, quota_max, quota_renewal_rate }: Policy): Limit {
  return { rate, per, quota_max, quota_renewal_rate };
}

function keepRenewal(limit: Limit, { access_rights }: Draft, apiId: string): void {
  const before = access_rights?.[apiId]?.limit;
  if (before && !isEmptyLimit(before)) limit.quota_renews = before.quota_renews ?? 0;
}

function raiseQuota(limits: Limit, { quota_max, quota_renewal_rate }: Policy): void {
  const current = limits.quota_max ?? 0;
  if (current !== -1 && (quota_max === -1 || quota_max > current)) limits.quota_max = quota_max;
  limits.quota_renewal_rate = Math.max(limits.quota_renewal_rate ?? 0, quota_renewal_rate);
}

function raiseRate(limits: Limit, { rate, per }: Policy): void {
  if (!rate || !per) return;
  const current = limits.rate && limits.per ? limits.per / limits.rate : Number.POSITIVE_INFINITY;
  if (current > per / rate) Object.assign(limits, { rate, per });
}

/** What no policy decided for an API comes from the session; what they decided replaces the session's own rights. */
function conclude(session: Draft, rulings: Map<string, Ruling>): string | undefined {
  const all = [...rulings.values()];
  const deciding = (part: Part) => all.filter(({ decided }) => decided.has(part)).length;
  const authors = new Set(all.map(({ setBy }) => setBy).filter((setBy) => setBy !== ""));
  const rights: AccessRights = {};
  for (const [apiId, { right, decided, setBy }] of rulings) {
    if (!decided.has("acl")) continue;
    const { rate = 0, per = 0, quota_max = 0, quota_renewal_rate = 0, quota_renews = 0 } = session;
    if (!decided.has("rate_limit")) Object.assign(right.limit, { rate, per });
    if (!decided.has("quota")) Object.assign(right.limit, { quota_max, quota_renewal_rate, quota_renews });
    if (authors.size > 1 && !right.allowance_scope) right.allowance_scope = setBy;
    rights[apiId] = right;
  }
  const [only] = Object.values(rights);
  if (only && deciding("quota") === 1 && deciding("rate_limit") === 1 && deciding("complexity") === 1) {
    const { rate = 0, per = 0, quota_max = 0, quota_renews = 0, quota_renewal_rate = 0 } = only.limit ?? {};
    Object.assign(session, { rate, per, quota_max, quota_renews, quota_renewal_rate });
  }
  if (deciding("acl") > 0) session.access_rights = rights;
  return only ? undefined : "key has no valid policies to be applied";
}
