// Sessions with the exact decoder only, printed member by member: lib/sessions must return the same in every case, and
// its speed is compared with this.
import { AppError, errorText } from "../../lib/errors.ts";
import * as go from "../../lib/go/decode.ts";
import { escapeHtml } from "../../lib/go/text.ts";
import { checkText } from "../../lib/sessions/limits.ts";
import { checkRights, type Session } from "../../lib/sessions/session.ts";
import { sessionShape } from "../../lib/sessions/shape.ts";

const decodeKnown = sessionShape(go);
const decodeWhole = sessionShape({
  ...go,
  lean: (fields) => go.open(fields, go.lean(fields)),
  struct: (fields) => go.open(fields, go.struct(fields)),
});

/** Sessions that are decoded already. */
const normals = new WeakSet<Session>();

function remembered(session: Session): Session {
  normals.add(session);
  return session;
}

const normal = (session: Session): Session =>
  normals.has(session) ? session : remembered(orInvalid(() => go.decodeValue(session, decodeKnown)));

export function parseSession(text: string): Session {
  checkText(text);
  return remembered(orInvalid(() => go.decodeJson(text, decodeKnown)));
}

export const formatSession = (session: Session): string => print(normal(session));

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

function blankPassword(session: Session): Session {
  if (!normal(session).basic_auth_data) return session;
  return normal({ ...session, basic_auth_data: { ...session.basic_auth_data, password: "" } });
}

export function showSession(session: Session): string {
  try {
    return formatSession(blankPassword(session));
  } catch (cause) {
    throw new AppError("session-unfit", `the stored session is unfit: ${errorText(cause)}`, { cause });
  }
}

export function keepPassword(session: Session, stored: Session | undefined): Session {
  const kept = stored?.basic_auth_data;
  if (!kept?.password || session.basic_auth_data?.password) return session;
  return normal({
    ...session,
    basic_auth_data: { ...kept, ...session.basic_auth_data, password: kept.password },
  });
}

export function parseWhole(text: string): Session {
  checkText(text);
  return orInvalid(() => go.decodeJson(text, decodeWhole));
}

export const wholeSession = (session: Session): Session =>
  orInvalid(() => go.decodeValue(session, decodeWhole));

export const formatWhole = (session: Session): string => print(wholeSession(session));

export function keepUnknown(session: Session, stored: Session | undefined): Session {
  if (!stored) return session;
  try {
    return added(session, wholeSession(stored), JSON.parse(formatSession(stored))) as Session;
  } catch (thrown) {
    if (thrown instanceof AppError) return session;
    throw thrown;
  }
}

type Members = Record<string, unknown>;

function added(made: Members, whole: Members, known: Members): Members {
  let kept = made;
  for (const [name, value] of Object.entries(whole)) {
    const member = Object.hasOwn(made, name) ? made[name] : undefined;
    const isKnown = Object.hasOwn(known, name);
    if (!isKnown && member === undefined) kept = { ...kept, [name]: value };
    if (!isMembers(member) || !isMembers(value)) continue;
    const inner = added(member, value, isKnown && isMembers(known[name]) ? known[name] : {});
    if (inner !== member) kept = { ...kept, [name]: inner };
  }
  return kept;
}

const isMembers = (value: unknown): value is Members =>
  typeof value === "object" && value !== null && !Array.isArray(value);

function refilled<T extends { quota_max?: number }>(limits: T): T {
  const { quota_max = 0 } = limits;
  return quota_max > 0 ? { ...limits, quota_remaining: quota_max } : limits;
}

function orInvalid<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    throw new AppError("session-invalid", error.message, { cause: error, field: error.field ?? "" });
  }
}

function print(session: Session): string {
  const members = Object.entries(session).map(
    ([name, value]) => `${JSON.stringify(name)}:${printMember(name, value)}`,
  );
  return escapeHtml(`{${members.join()}}`);
}

function printMember(name: string, value: unknown): string {
  if (name === "access_rights") return printSorted(value as Members, JSON.stringify);
  return name === "meta_data" || name === "oauth_keys" ? printAllSorted(value) : JSON.stringify(value);
}

function printAllSorted(value: unknown): string {
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(printAllSorted).join()}]`;
  return printSorted(value as Members, printAllSorted);
}

function printSorted(members: Members, printOne: (member: unknown) => string): string {
  const names = Object.keys(members).sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  return `{${names.map((name) => `${JSON.stringify(name)}:${printOne(members[name])}`).join()}}`;
}
