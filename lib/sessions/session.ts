import { AppError, errorText } from "../errors.ts";
import * as go from "../go/decode.ts";
import * as quick from "../go/quick.ts";
import { escapeHtml, isBefore, sortedByBytes } from "../go/text.ts";
import { orInvalid as orJsonInvalid } from "../go/unfit.ts";
import { checkText } from "./limits.ts";
import { sessionShape } from "./shape.ts";

const decodeSession = quick.usually(sessionShape(quick), sessionShape(go));

/**
 * A gateway's data about a key, in the form of gateways since 5.12: members with a zero value are left out. Immutable:
 * a change makes a new object.
 */
export type Session = Immutable<{ [member: string]: unknown } & ReturnType<typeof decodeSession>>;

type Immutable<T> = T extends object ? { readonly [Name in keyof T]: Immutable<T[Name]> } : T;

/** What TykGetKeyData returns for a key that does not exist. */
export const MISS = '{"status":"error","message":"Key not found"}';

/**
 * A session as a script or an API caller wrote it; throws session-invalid, naming the member at fault, and
 * session-too-large for a text that is too long.
 */
export function parseSession(text: string): Session {
  checkText(text);
  return remembered(orInvalid(() => go.decodeJson(text, decodeSession)));
}

/** The text that TykGetKeyData returns, as Go prints it; throws session-invalid if the stored members are invalid. */
export function formatSession(session: Session): string {
  return print(normal(session));
}

/**
 * What TykSetKeyData stores for this session; throws session-refused for a master key. `now` is in unix seconds;
 * `suppressReset` keeps the given quota and `last_updated`.
 */
export function applySet(
  session: Session,
  { suppressReset, now, allowMasterKeys }: { suppressReset: boolean; now: number; allowMasterKeys: boolean },
): Session {
  checkRights(session, allowMasterKeys);
  if (suppressReset) return normal(session);
  const rights = Object.entries(session.access_rights ?? {});
  const reset = rights.map(([id, right]) => [id, { ...right, limit: refilled(right.limit ?? {}) }]);
  return normal({
    ...refilled(session),
    quota_renews: now + (session.quota_renewal_rate ?? 0),
    access_rights: Object.fromEntries(reset),
    last_updated: String(now),
  });
}

/** A basic-auth key as a gateway returns it. */
export function blankPassword(session: Session): Session {
  if (!normal(session).basic_auth_data) return session;
  return normal({ ...session, basic_auth_data: { ...session.basic_auth_data, password: "" } });
}

/** The text of a stored session, with a blank password; throws session-unfit if it is invalid after a manual edit. */
export function showSession(session: Session): string {
  try {
    return formatSession(blankPassword(session));
  } catch (cause) {
    throw new AppError("session-unfit", `the stored session is unfit: ${errorText(cause)}`, { cause });
  }
}

/** Restores the password that `blankPassword` removed, so that a session that is read, changed and written keeps it. */
export function keepPassword(session: Session, stored: Session | undefined): Session {
  const kept = stored?.basic_auth_data;
  if (!kept?.password || session.basic_auth_data?.password) return session;
  return normal({
    ...session,
    basic_auth_data: { ...kept, ...session.basic_auth_data, password: kept.password },
  });
}

/** A gateway keeps the used quota in a counter and deletes that; here there is only quota_remaining. */
function refilled<T extends { quota_max?: number }>(limits: T): T {
  const { quota_max = 0 } = limits; // 0: no quota, -1: unlimited
  return quota_max > 0 ? { ...limits, quota_remaining: quota_max } : limits;
}

/** Throws session-refused for a session that opens every API, unless that is allowed. */
export function checkRights({ access_rights }: Session, allowMasterKeys: boolean): void {
  if (allowMasterKeys || Object.keys(access_rights ?? {}).length > 0) return;
  const message =
    "Master keys not allowed: access_rights is empty; ALLOW_MASTER_KEYS=true allows such a key every API";
  throw new AppError("session-refused", message, { field: "access_rights" });
}

/** The normal forms of decoded sessions; each normal form is its own. */
const normals = new WeakMap<Session, Session>();

function remembered(session: Session): Session {
  normals.set(session, session);
  return session;
}

/**
 * The same session in table order, without zero and unknown members, which stores do not keep. It is decoded once;
 * throws session-invalid.
 */
export function normal(session: Session): Session {
  const known = normals.get(session);
  if (known) return known;
  const made = remembered(orInvalid(() => go.decodeValue(session, decodeSession)));
  if (made !== session) normals.set(session, made);
  return made;
}

/** An error in a session's JSON is an error of the session. */
export function orInvalid<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    throw new AppError("session-invalid", error.message, { cause: error, field: error.field ?? "" });
  }
}

/**
 * The text of a session with members that are not checked. Throws session-invalid if it is nested too deeply: a gateway
 * takes more levels than JavaScript prints.
 */
export const textOfMembers = (members: Record<string, unknown>): string =>
  orInvalid(() => orJsonInvalid(() => JSON.stringify(members)));

/**
 * A decoded session as Go prints it: maps sorted by the bytes of their names, the members of a struct in the order of
 * its fields.
 */
export function print(session: Session): string {
  const { access_rights, meta_data, oauth_keys } = session;
  if (areSorted(access_rights) && isSorted(meta_data) && isSorted(oauth_keys))
    return escapeHtml(JSON.stringify(session));
  const members = Object.entries(session).map(
    ([name, value]) => `${JSON.stringify(name)}:${printMember(name, value)}`,
  );
  return escapeHtml(`{${members.join()}}`);
}

function printMember(name: string, value: unknown): string {
  if (name === "access_rights") return printSorted(value as object, JSON.stringify);
  return name === "meta_data" || name === "oauth_keys" ? printAllSorted(value) : JSON.stringify(value);
}

function printAllSorted(value: unknown): string {
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(printAllSorted).join()}]`;
  return printSorted(value, printAllSorted);
}

function printSorted(value: object, printMember: (member: unknown) => string): string {
  const members = value as Record<string, unknown>;
  const texts = sortedByBytes(Object.keys(members)).map(
    (name) => `${JSON.stringify(name)}:${printMember(members[name])}`,
  );
  return `{${texts.join()}}`;
}

/** Whether JavaScript has all names in the same order as Go. */
function isSorted(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return true;
  if (Array.isArray(value)) return value.every(isSorted);
  return areSorted(value) && Object.values(value).every(isSorted);
}

/** The same for the names of one object. */
function areSorted(value: object = {}): boolean {
  const names = Object.keys(value);
  return names.every((name, at) => at === 0 || isBefore(names[at - 1] ?? "", name));
}
