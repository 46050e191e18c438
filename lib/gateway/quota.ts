import { objectOf } from "../json.ts";
import type { Members } from "./merge.ts";

/** Whether the gateway counts requests against a quota of the session, or of one of its APIs. */
export function hasQuota(session: Members): boolean {
  const limits = Object.values(objectOf(session.access_rights)).map((right) =>
    objectOf(objectOf(right).limit),
  );
  const counted = limits.some(({ quota_max = -1 }) => quota_max !== -1);
  return session.quota_max !== -1 || counted;
}

/** The session with a full quota: a gateway takes the values from the body of a PUT that resets the quota. */
export function fullQuota(session: Members): Members {
  const rights = Object.entries(objectOf(session.access_rights)).map(([id, right]) => {
    const { limit, ...rest } = objectOf(right);
    return [id, { ...rest, ...(limit !== undefined && { limit: refilled(objectOf(limit)) }) }];
  });
  return { ...refilled(session), ...(rights.length > 0 && { access_rights: Object.fromEntries(rights) }) };
}

const refilled = (members: Members): Members =>
  typeof members.quota_max === "number" && members.quota_max > 0
    ? { ...members, quota_remaining: members.quota_max }
    : members;
