import type { Session } from "./session.ts";

/** A session as the table has it; `version` 0 means that there is no item. */
export interface StoredSession {
  session: Session | undefined;
  version: number;
}

/** DynamoDB's limit of a partition key. */
export const KEY_BYTES = 2_048;

export function isStorableKey(key: string): boolean {
  const bytes = Buffer.byteLength(key);
  return bytes > 0 && bytes <= KEY_BYTES && key.isWellFormed();
}

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

/** `now` in ms. DynamoDB removes expired items days late, so a reader must not see them. */
export function storedSession(item: Record<string, unknown> | undefined, now: number): StoredSession {
  if (!item) return { session: undefined, version: 0 };
  const gone = typeof item.ttl === "number" && item.ttl * 1000 <= now;
  return { session: gone ? undefined : (item.session as Session), version: item.version as number };
}

/** When the store itself drops the session, in unix seconds; 0 is never. */
function ttlOf(session: Session, now: number): number {
  return session.session_lifetime && session.session_lifetime > 0 ? now + session.session_lifetime : 0;
}
