import type { Session } from "./session.ts";

/**
 * A session as the table has it. A `version` above 0 is the item's, whose session may have ended. Where there is no
 * item it is 0 or less, by chance, and decides the version that a new one gets (`nextVersion`).
 */
export interface StoredSession {
  session: Session | undefined;
  version: number;
}

const FIRST_VERSIONS = 2 ** 52;

/**
 * The version that follows the one that was read. A new item must not count from 1 again: whoever read the key's
 * former item, before it was deleted by hand, by the API or by DynamoDB's TTL, commits on condition of a version
 * that the new one would reach. So it starts at a number that the former one never had, but for a chance in 2^52.
 */
export const nextVersion = (read: number) => Math.abs(read) + 1;

/** The item of a session: a native map, so that it can be queried and read in the console. `now` in unix seconds. */
export function sessionItem(
  key: string,
  session: Session,
  version: number,
  now: number,
): Record<string, unknown> {
  const ttl = ttlOf(session, now);
  return {
    key,
    session,
    version,
    updated_at: now,
    // Always there, so that keys without an end show in the index too.
    expires: session.expires ?? 0,
    // A key of an index must not be empty.
    ...(session.org_id && { org_id: session.org_id }),
    ...(ttl && { ttl }),
  };
}

/** `now` in ms. DynamoDB removes expired items days late, so a reader must not see them. `random` from 0 to 1. */
export function storedSession(
  item: Record<string, unknown> | undefined,
  now: number,
  random: () => number,
): StoredSession {
  if (!item) return { session: undefined, version: 0 - Math.floor(random() * FIRST_VERSIONS) };
  const gone = typeof item.ttl === "number" && item.ttl * 1000 <= now;
  return { session: gone ? undefined : (item.session as Session), version: item.version as number };
}

/** When the store itself drops the session, in unix seconds; 0 is never. */
function ttlOf(session: Session, now: number): number {
  return session.session_lifetime && session.session_lifetime > 0 ? now + session.session_lifetime : 0;
}
