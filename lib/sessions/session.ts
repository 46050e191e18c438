import { AppError, errorText } from "../errors.ts";
import * as go from "../go/decode.ts";
import { any, boolean, float, integer, lean, list, map, pointer, string, struct } from "../go/decode.ts";
import type { JsonValue } from "../go/json.ts";
import { escapeHtml, isBefore, sortedByBytes } from "../go/text.ts";
import { checkText } from "./limits.ts";

const strings = list(string);
const pace = { enabled: boolean, threshold: integer, trigger: float, step: integer, delay: integer };
const anySmoothing = pointer(struct(pace));
const smoothing: typeof anySmoothing = (value) => {
  const decoded = anySmoothing(value);
  return decoded?.enabled ? decoded : null; // gateways leave it out while it is off
};
const throttle = { throttle_interval: float, throttle_retry_limit: integer, max_query_depth: integer };
const quota = {
  quota_max: integer,
  quota_renews: integer,
  quota_remaining: integer,
  quota_renewal_rate: integer,
};
const rateLimit = { rate: float, per: float, smoothing };
const graphTypes = list(struct({ name: string, fields: strings }));
const fieldRight = { type_name: string, field_name: string, limits: lean({ max_query_depth: integer }) };
const method = { name: string, limit: lean(rateLimit) };
const rules = lean({ allowed: strings, blocked: strings });

const accessRight = lean({
  api_name: string,
  api_id: string,
  versions: strings,
  allowed_urls: list(struct({ url: string, methods: strings })),
  restricted_types: graphTypes,
  allowed_types: graphTypes,
  limit: lean({ ...rateLimit, ...throttle, ...quota }),
  field_access_rights: list(lean(fieldRight)),
  disable_introspection: boolean,
  allowance_scope: string,
  endpoints: list(lean({ path: string, methods: list(lean(method)) })),
  json_rpc_methods: list(lean(method)),
  json_rpc_methods_access_rights: rules,
  mcp_primitives: list(lean({ type: string, ...method })),
  mcp_access_rights: lean({ tools: rules, resources: rules, prompts: rules }),
});

/** The members that a gateway knows, in the order in which it prints them. */
const decodeSession = lean({
  last_check: integer,
  allowance: float,
  rate: float,
  per: float,
  ...throttle,
  date_created: time,
  expires: integer,
  ...quota,
  access_rights: map(accessRight),
  org_id: string,
  oauth_client_id: string,
  oauth_keys: map(string),
  certificate: string,
  mtls_static_certificate_bindings: strings,
  basic_auth_data: lean({ password: string, hash_type: string }),
  jwt_data: lean({ secret: string }),
  hmac_enabled: boolean,
  enable_http_signature_validation: boolean,
  hmac_string: string,
  rsa_certificate_id: string,
  is_inactive: boolean,
  apply_policy_id: string,
  apply_policies: strings,
  data_expires: integer,
  monitor: lean({ trigger_limits: list(float) }),
  enable_detail_recording: boolean,
  enable_detailed_recording: boolean,
  meta_data: map(any),
  tags: strings,
  alias: string,
  last_updated: string,
  id_extractor_deadline: integer,
  session_lifetime: integer,
  post_expiry_action: string,
  post_expiry_grace_period: integer,
  smoothing,
});

/** What a gateway knows of a key, in the form of gateways since 5.12: members of zero value are left out. */
export type Session = { [member: string]: unknown } & ReturnType<typeof decodeSession>;

/** What TykGetKeyData returns for a key that does not exist. */
export const MISS = '{"status":"error","message":"Key not found"}';

/**
 * A session as a script or an API caller wrote it; throws session-invalid, naming the member at fault, and
 * session-too-large for a text that is too long to be looked at.
 */
export function parseSession(text: string): Session {
  checkText(text);
  return remembered(orInvalid(() => go.decodeJson(text, decodeSession)));
}

/** The text that TykGetKeyData returns, as Go prints it; throws session-invalid if the stored members are unfit. */
export function formatSession(session: Session): string {
  const members = Object.entries(normal(session)).map(([name, value]) => `"${name}":${print(name, value)}`);
  return escapeHtml(`{${members.join()}}`);
}

/**
 * What TykSetKeyData stores when given this session; throws session-refused for a master key.
 * `now` is in unix seconds; `suppressReset` leaves the quota and `last_updated` as they are given.
 */
export function applySet(
  session: Session,
  { suppressReset, now, allowMasterKeys }: { suppressReset: boolean; now: number; allowMasterKeys: boolean },
): Session {
  const rights = Object.entries(session.access_rights ?? {});
  if (rights.length === 0 && !allowMasterKeys) throw masterKey();
  if (suppressReset) return normal(session);
  const reset = rights.map(([id, right]) => [id, { ...right, limit: refilled(right.limit ?? {}) }]);
  return normal({
    ...refilled(session),
    quota_renews: now + (session.quota_renewal_rate ?? 0),
    access_rights: Object.fromEntries(reset),
    last_updated: String(now),
  });
}

/** As a gateway shows a basic-auth key. */
export function blankPassword(session: Session): Session {
  if (!normal(session).basic_auth_data) return session;
  return normal({ ...session, basic_auth_data: { ...session.basic_auth_data, password: "" } });
}

/** The text of a stored session, password hidden; throws session-unfit for what was edited by hand to no session. */
export function showSession(session: Session): string {
  try {
    return formatSession(blankPassword(session));
  } catch (cause) {
    throw new AppError("session-unfit", `the stored session is unfit: ${errorText(cause)}`, { cause });
  }
}

/** What `blankPassword` hid, put back: whoever reads a session, changes it and writes it keeps the password. */
export function keepPassword(session: Session, stored: Session | undefined): Session {
  const kept = stored?.basic_auth_data;
  if (!kept?.password || session.basic_auth_data?.password) return session;
  return normal({
    ...session,
    basic_auth_data: { ...kept, ...session.basic_auth_data, password: kept.password },
  });
}

/** A gateway keeps the quota's use in a counter and deletes that; here quota_remaining is all there is. */
function refilled<T extends { quota_max?: number }>(limits: T): T {
  const { quota_max = 0 } = limits; // 0: no quota, -1: unlimited
  return quota_max > 0 ? { ...limits, quota_remaining: quota_max } : limits;
}

function masterKey(): AppError {
  const message =
    "Master keys not allowed: access_rights is empty; ALLOW_MASTER_KEYS=true allows such a key every API";
  return new AppError("session-refused", message, { field: "access_rights" });
}

/** Sessions in normal form. Nobody changes one: a change makes another. */
const normals = new WeakSet<Session>();

function remembered(session: Session): Session {
  normals.add(session);
  return session;
}

/** The same session in table order and without zero members, whoever made it: a store may keep neither. */
function normal(session: Session): Session {
  if (normals.has(session)) return session;
  return remembered(orInvalid(() => go.decodeValue(session, decodeSession)));
}

function orInvalid<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    throw new AppError("session-invalid", error.message, { cause: error, field: error.field ?? "" });
  }
}

const TIME =
  /^(\d{4}-\d\d-\d\d)T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d([.,]\d+)?(Z|[+-](?:[01]\d|2[0-3]):[0-5]\d)$/;

/** An RFC 3339 time as Go reads and prints it again: to the nanosecond, without trailing zeros. */
function time(value: JsonValue | undefined): string {
  if (value === undefined || value === null) return "";
  const [text, day = "", fraction = "", zone = ""] = TIME.exec(string(value)) ?? [];
  const exists = new Date(day).toJSON()?.startsWith(day); // Date takes February 30 for March 2
  if (text === undefined || !exists) throw go.invalid("expected a time such as 2026-08-01T10:00:00Z");
  const nanoseconds = fraction
    .slice(0, 10)
    .replace(",", ".")
    .replace(/\.?0*$/, "");
  const printed = `${text.slice(0, 19)}${nanoseconds}${zone.endsWith("00:00") ? "Z" : zone}`;
  return printed === "0001-01-01T00:00:00Z" ? "" : printed;
}

/** Maps, whose names are data, come sorted by bytes; the members of a struct in the order of its fields. */
function print(name: string, value: unknown): string {
  if (name === "access_rights") return printSorted(value as object, JSON.stringify);
  if (name !== "meta_data" && name !== "oauth_keys") return JSON.stringify(value);
  return isSorted(value) ? JSON.stringify(value) : printAllSorted(value);
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

/** Whether JavaScript has every name in it where Go would put it. */
function isSorted(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return true;
  if (Array.isArray(value)) return value.every(isSorted);
  const names = Object.keys(value);
  const inOrder = names.every((name, at) => at === 0 || isBefore(names[at - 1] ?? "", name));
  return inOrder && Object.values(value).every(isSorted);
}
