import { isObject, objectOf } from "../json.ts";

/** A session as a JSON object: the gateway's may have unknown members. */
export type Members = Record<string, unknown>;

/** Names are those of a session's own members (`access_rights`), never paths below them. */
export interface Merged {
  /** The wanted session of the gateway: its own session with our changes. */
  session: Members;
  /** Names of the members in which that differs from its current session. */
  changed: string[];
  /** Names of the members that we changed but may not change: the gateway's values stay. */
  refused: string[];
}

/**
 * Applies our changes of `base` to the gateway's current session, member by member, so that no change of the gateway is
 * lost.
 */
export function merge(base: Members, ours: Members, theirs: Members): Merged {
  const merged: Merged = { session: { ...theirs }, changed: [], refused: [] };
  for (const name of namesOf(base, ours)) {
    const rule = RULES[name] ?? OURS;
    if (rule.same(base[name], ours[name])) continue;
    if (!rule.merge) {
      if (rule === FIXED) merged.refused.push(name);
      continue;
    }
    const member = rule.merge(base[name], ours[name], theirs[name]);
    if (rule.same(theirs[name], member)) continue;
    put(merged.session, name, member);
    merged.changed.push(name);
  }
  return merged;
}

/**
 * Whether two sessions are equal except for the gateway's own members, in any order and from any version of the
 * gateway.
 */
export function agree(one: Members, other: Members): boolean {
  return namesOf(one, other).every((name) => {
    const rule = RULES[name] ?? OURS;
    return rule === THEIRS || rule === PASSWORD || rule.same(one[name], other[name]);
  });
}

/** The changed members that a policy of the key sets, so that the change has no effect. */
export function governed(changed: string[], theirs: Members): string[] {
  const policies = theirs.apply_policies;
  const has = Boolean(theirs.apply_policy_id) || (Array.isArray(policies) && policies.length > 0);
  return has ? changed.filter((name) => GOVERNED.has(name)) : [];
}

interface Rule {
  same(one: unknown, other: unknown): boolean;
  /** Missing: the gateway's value stays. */
  merge?(base: unknown, ours: unknown, theirs: unknown): unknown;
}

const ours = (_base: unknown, mine: unknown) => mine;

/** Maintained by the gateway. */
const THEIRS: Rule = { same: () => true };
/** Part of the key's identity. */
const FIXED: Rule = { same: alike };
const OURS: Rule = { same: alike, merge: ours };
const SET: Rule = { same: sameSet, merge: mergeSets };
/** A blank password keeps the gateway's, which is never shown. */
const PASSWORD: Rule = {
  same: (one, other) => !passwordOf(other) || passwordOf(one) === passwordOf(other),
  merge: (_base, mine) => ({ password: passwordOf(mine) }),
};
/** Data of scripts: 0, "" and null are values. */
const DATA: Rule = {
  same: (one, other) => equal(one ?? {}, other ?? {}),
  merge: (base, mine, theirs) => mergeMembers(base, mine, theirs, equal, mergeData),
};
const KEYS: Rule = {
  same: (one, other) => equal(one ?? {}, other ?? {}),
  merge: (base, mine, theirs) => mergeMembers(base, mine, theirs, equal, ours),
};
const RIGHTS: Rule = {
  same: (one, other) => compare(withoutUse(one), withoutUse(other), bothThere),
  merge: (base, mine, theirs) => mergeMembers(base, mine, theirs, bothThere, mergeRight),
};

const RULES: Record<string, Rule> = {
  date_created: THEIRS,
  last_updated: THEIRS,
  last_check: THEIRS,
  allowance: THEIRS,
  quota_renews: THEIRS,
  quota_remaining: THEIRS,
  id_extractor_deadline: THEIRS,
  org_id: FIXED,
  certificate: FIXED,
  tags: SET,
  apply_policies: SET,
  mtls_static_certificate_bindings: SET,
  basic_auth_data: PASSWORD,
  meta_data: DATA,
  oauth_keys: KEYS,
  access_rights: RIGHTS,
};

const GOVERNED = new Set([
  "rate",
  "per",
  "smoothing",
  "throttle_interval",
  "throttle_retry_limit",
  "max_query_depth",
  "quota_max",
  "quota_renewal_rate",
  "access_rights",
  "is_inactive",
  "post_expiry_action",
  "post_expiry_grace_period",
]);

/** Members of a right, and of its limit, that the gateway computes. */
const RIGHT_USE = ["allowance_scope"];
const LIMIT_USE = ["quota_renews", "quota_remaining"];

/** A right that either side removed stays removed. */
function mergeRight(base: unknown, mine: unknown, theirs: unknown): unknown {
  if (base !== undefined && (mine === undefined || theirs === undefined)) return undefined;
  if (!isObject(base) || !isObject(mine) || !isObject(theirs)) return mine;
  return mergeMembers(base, mine, theirs, alike, (before, now, there, name) => {
    if (RIGHT_USE.includes(name)) return there;
    if (name !== "limit") return now;
    return mergeMembers(before, now, there, alike, (_, value, kept, member) =>
      LIMIT_USE.includes(member) ? kept : value,
    );
  });
}

/** Objects member by member; lists and values as a whole. */
function mergeData(base: unknown, mine: unknown, theirs: unknown): unknown {
  if (!isObject(base) || !isObject(mine) || !isObject(theirs)) return mine;
  return mergeMembers(base, mine, theirs, equal, mergeData);
}

/** Members that we changed are merged by `member`; all others are the gateway's. */
function mergeMembers(
  base: unknown,
  mine: unknown,
  theirs: unknown,
  same: Rule["same"],
  member: (base: unknown, mine: unknown, theirs: unknown, name: string) => unknown,
): Members {
  const [before, now, there] = [objectOf(base), objectOf(mine), objectOf(theirs)];
  const merged = { ...there };
  for (const name of namesOf(before, now)) {
    if (same(before[name], now[name])) continue;
    put(merged, name, member(before[name], now[name], there[name], name));
  }
  return merged;
}

/** The gateway's values, minus what we removed, plus what we added. */
function mergeSets(base: unknown, mine: unknown, theirs: unknown): unknown[] {
  const [before, now, there] = [base, mine, theirs].map(itemsOf) as [
    Set<unknown>,
    Set<unknown>,
    Set<unknown>,
  ];
  const kept = [...there].filter((item) => now.has(item) || !before.has(item));
  return [...new Set([...kept, ...[...now].filter((item) => !before.has(item))])];
}

function sameSet(one: unknown, other: unknown): boolean {
  const [a, b] = [itemsOf(one), itemsOf(other)];
  return a.size === b.size && [...a].every((item) => b.has(item));
}

/** Equality in which a missing member equals a zero value: gateways since 5.12 omit zeros, older ones print them. */
function alike(one: unknown, other: unknown): boolean {
  if (isZero(one) && isZero(other)) return true;
  return compare(one, other, alike);
}

/** Rights to an API: `{}` grants access, a missing right does not. */
function bothThere(one: unknown, other: unknown): boolean {
  return (one === undefined) === (other === undefined) && alike(one, other);
}

function equal(one: unknown, other: unknown): boolean {
  return compare(one, other, equal);
}

function compare(one: unknown, other: unknown, same: Rule["same"]): boolean {
  if (isObject(one) && isObject(other))
    return namesOf(one, other).every((name) => same(one[name], other[name]));
  if (Array.isArray(one) && Array.isArray(other))
    return one.length === other.length && one.every((item, at) => same(item, other[at]));
  return one === other;
}

function isZero(value: unknown): boolean {
  if (Array.isArray(value)) return value.length === 0;
  if (isObject(value)) return Object.values(value).every(isZero);
  return !value || value === ZERO_TIME;
}

const ZERO_TIME = "0001-01-01T00:00:00Z";

/** Access rights without the members that only their use changes. */
function withoutUse(rights: unknown): Members {
  const bare = (members: Members, names: string[]) =>
    Object.fromEntries(Object.entries(members).filter(([name]) => !names.includes(name)));
  return Object.fromEntries(
    Object.entries(objectOf(rights)).map(([id, right]) => {
      if (!isObject(right)) return [id, right];
      const { limit, ...rest } = right;
      return [id, { ...bare(rest, RIGHT_USE), ...(isObject(limit) && { limit: bare(limit, LIMIT_USE) }) }];
    }),
  );
}

const passwordOf = (value: unknown) =>
  isObject(value) && typeof value.password === "string" ? value.password : "";

const itemsOf = (value: unknown) => new Set<unknown>(Array.isArray(value) ? value : []);
const namesOf = (one: Members, other: Members) => [...new Set([...Object.keys(one), ...Object.keys(other)])];

/** Defined, not assigned, since a member may be called __proto__. */
function put(members: Members, name: string, value: unknown): void {
  if (value === undefined) delete members[name];
  else Object.defineProperty(members, name, { value, enumerable: true, configurable: true, writable: true });
}
