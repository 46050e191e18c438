import type { ChangedBy, GatewayState, Marks } from "../sessions/item.ts";
import { storableBytes } from "../sessions/limits.ts";
import { formatSession, parseSession, type Session, textOfMembers } from "../sessions/session.ts";
import { agree, type Members } from "./merge.ts";

/** An item of the sessions table that must be settled with the gateway. */
export interface Row {
  key: string;
  session: Session | undefined;
  version: number;
  gateway: GatewayState;
  changedBy?: ChangedBy;
  marks?: Marks;
}

/** The wanted state of a row. */
export interface SettledRow {
  kind: "row";
  session: Session | undefined;
  gateway: GatewayState;
  /** In how many ms to check again, since the gateway's cache may undo the change. */
  later?: number;
  /** The row's current version. */
  version?: number;
}

/** Whether a handler created the key, and the gateway does not have it yet. */
export const isBornHere = ({ gateway: { change, created, gone } }: Pick<Row, "gateway">) =>
  change?.base === null && created === undefined && !gone;

/** The row with only the gateway's session. */
export function asTheirs({ session }: { session: Members }): SettledRow {
  return { kind: "row", session: asSession(session), gateway: { created: createdOf(session) } };
}

/**
 * Whether a row has the gateway's session, except for unknown members, which rows do not have. Throws session-invalid
 * and session-too-large for what the table cannot hold.
 */
export function showsTheirs(
  { session, gateway }: Pick<Row, "session" | "gateway">,
  theirs: Members,
): boolean {
  if (!session || gateway.created !== createdOf(theirs)) return false;
  return agree(asMembers(session), asMembers(asSession(theirs)));
}

/** The session's `date_created`, which distinguishes the gateway's keys with one name; "" for none. */
export const createdOf = ({ date_created }: Members): string =>
  typeof date_created === "string" ? date_created : "";

/** The session as a JSON object. */
export const asMembers = (session: Session): Members => JSON.parse(formatSession(session)) as Members;
/** Throws session-invalid and session-too-large for what the table cannot hold. */
export function asSession(members: Members): Session {
  const session = parseSession(textOfMembers(members));
  storableBytes(session);
  return session;
}
