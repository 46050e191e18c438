import { fullName, orgOf } from "../gateway/key-name.ts";
import { isStorableKey } from "../sessions/limits.ts";
import type { Session } from "../sessions/session.ts";
import { type KeysDeps, storeFor } from "./deps.ts";

/** A session, with the name by which it was found: its raw key, or its hash. */
export interface Found {
  key: string;
  session: Session;
}

/** Finds a session by a raw key, or by a name within the organisation; with `hashed`, `name` is a row's name. */
export async function findKey(
  deps: KeysDeps,
  orgId: string,
  name: string,
  hashed: boolean,
): Promise<Found | undefined> {
  const store = storeFor(deps, hashed);
  for (const key of hashed ? [name] : keysFor(deps, orgId, name)) {
    if (!isStorableKey(key)) continue;
    const { session } = await store.read(key);
    if (session) return { key, session };
  }
  return undefined;
}

/** The raw keys that a name may mean, the most likely first. */
function keysFor(deps: KeysDeps, orgId: string, name: string): string[] {
  return orgOf(name) === orgId ? [name] : [rawKey(deps, orgId, name), name];
}

/** The raw key of a key's custom name, in the form that a gateway with this hash function gives it. */
export const rawKey = ({ hashFunction }: KeysDeps, orgId: string, name: string): string =>
  fullName(hashFunction ?? "", orgId, name);
