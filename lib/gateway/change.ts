import { AppError } from "../errors.ts";
import type { Entry } from "../sessions/forms.ts";
import type { Change, GatewayState, StoredSession } from "../sessions/item.ts";
import { creationName, readToken } from "./key-name.ts";

/** What a handler or a person did to a session. */
export interface Edit {
  /** Whether the quota is reset. */
  reset: boolean;
  /** In ms. */
  now: number;
}

/**
 * What the item says of the gateway after an edit of what was read. Where a change is on its way already, the new one
 * joins it: the difference to the same base is both.
 */
export function changedState({ session, gateway }: StoredSession, edit: Edit): GatewayState {
  const { change: before, look, created } = gateway ?? {};
  // An item that says something of the gateway, but of no key there, was made here. One from before a gateway was set
  // says nothing: whether that has the key is not known, so it is never made there.
  const bornHere = gateway !== undefined && created === undefined;
  const base = bornHere ? null : (session ?? null);
  const change: Change = {
    base: before ? before.base : base,
    since: before?.since ?? edit.now,
    ...(before?.undone && { undone: before.undone }),
    ...(edit.reset ? { reset: "wanted" as const } : before?.reset && { reset: before.reset }),
  };
  return { ...(created !== undefined && { created }), change, ...(look !== undefined && { look }) };
}

/**
 * The same for a session that is brought here from elsewhere: to the gateway it is a change like a person's. Throws
 * session-gone and session-refused for one that it could never make.
 */
export function broughtState(
  read: StoredSession,
  { key, session }: Pick<Entry, "key" | "session">,
  { isHashed, now }: { isHashed: boolean; now: number },
): GatewayState {
  if (read.gateway?.gone) throw new AppError("session-gone", "the gateway has deleted this key");
  const isNew = read.version <= 0;
  if (isNew && isHashed)
    throw new AppError("session-refused", "the gateway has no such key, and none can be made by its hash");
  if (isNew && creationName(readToken(key)?.h ?? "", session.org_id ?? "", key) === undefined)
    throw new AppError(
      "session-refused",
      "the gateway has no such key, and no name makes this very one there",
    );
  return changedState(read, { reset: false, now });
}
