import { AppError } from "../errors.ts";
import type { Entry } from "../sessions/forms.ts";
import type { Change, GatewayState, StoredSession } from "../sessions/item.ts";
import { creationName, readToken } from "./key-name.ts";

/** A change of a session by a handler or a person. */
export interface Edit {
  /** Whether the quota is reset. */
  reset: boolean;
  /** In ms. */
  now: number;
}

/**
 * The gateway data of an item after an edit. If a change is pending already, the new one is combined with it: the
 * difference to the same base has both.
 */
export function changedState({ session, gateway }: StoredSession, edit: Edit): GatewayState {
  const { change: before, look, created } = gateway ?? {};
  // An item with gateway data, but without a key there, was created here. An item that is older than the gateway
  // setting has no gateway data: whether the gateway has its key is unknown, so it is never created there.
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
 * The same for an imported session: for the gateway it is a change like any other. Throws session-gone and
 * session-refused for a session that can never be created there.
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
