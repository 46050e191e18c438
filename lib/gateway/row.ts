import type { ChangedBy, GatewayState, Marks } from "../sessions/item.ts";
import { storableBytes } from "../sessions/limits.ts";
import { formatSession, parseSession, type Session } from "../sessions/session.ts";
import { agree, type Members } from "./merge.ts";

/** An item of the sessions table that the gateway is to be told of, or asked about. */
export interface Row {
  key: string;
  session: Session | undefined;
  version: number;
  gateway: GatewayState;
  changedBy?: ChangedBy;
  marks?: Marks;
}

/** What a row is to be. */
export interface SettledRow {
  kind: "row";
  session: Session | undefined;
  gateway: GatewayState;
  /** In how many ms to look again, since the gateway's cache may undo what it took. */
  later?: number;
  /** The row's by now. */
  version?: number;
}

/** Whether a handler made the key, which the gateway is yet to make. */
export const isBornHere = ({ gateway: { change, created, gone } }: Pick<Row, "gateway">) =>
  change?.base === null && created === undefined && !gone;

/** The row of what the gateway has, and of nothing else. */
export function asTheirs({ session }: { session: Members }): SettledRow {
  return { kind: "row", session: asSession(session), gateway: { created: createdOf(session) } };
}

/**
 * Whether a row shows what the gateway has, as far as a row can: it has no members that are unknown here. Throws
 * session-invalid and session-too-large for what the table cannot hold.
 */
export function showsTheirs(
  { session, gateway }: Pick<Row, "session" | "gateway">,
  theirs: Members,
): boolean {
  if (!session || gateway.created !== createdOf(theirs)) return false;
  return agree(asMembers(session), asMembers(asSession(theirs)));
}

/** The session's `date_created`, by which the gateway's keys of one name are told apart; "" for none. */
export const createdOf = ({ date_created }: Members): string =>
  typeof date_created === "string" ? date_created : "";

/** The session as JSON has it. */
export const asMembers = (session: Session): Members => JSON.parse(formatSession(session)) as Members;
/** Throws session-invalid and session-too-large for what the table cannot hold. */
export function asSession(members: Members): Session {
  const session = parseSession(JSON.stringify(members));
  storableBytes(session);
  return session;
}
