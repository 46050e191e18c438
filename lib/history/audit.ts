import { type Attributes, fromAttributes, toAttributes } from "../dynamo/attributes.ts";
import type { JsonObject } from "../json.ts";
import { changesBetween } from "../sessions/changes.ts";
import { isTime, PLAIN_SESSION } from "./secrets.ts";

/**
 * A change that a person made on a stage. It contains neither keys nor content, since its readers may lack the
 * permission to see sessions.
 */
export interface AuditRecord {
  /** In ISO 8601. */
  at: string;
  /** The ARN of the IAM identity that did it. */
  who: string;
  what: AuditedAction;
  /** The reference of a session's key, the version of a release, or a group of dead letters. */
  target: string;
  /** The version before: of the session, or of the release. */
  before?: string;
  /** Members of the session that changed. */
  changes?: AuditedChange[];
  /** The number of dead letters. */
  count?: number;
  from: "console";
  /** It remains `asked` if the outcome was never known. For dead letters, `done` means that the action was started. */
  result: AuditResult;
}

/** The actions of people in the console. */
export type AuditedAction =
  | "save session"
  | "delete session"
  | "roll back"
  | "redrive dead letters"
  | "delete dead letters";
/** Written as `asked` before the action is tried, and as `done` or `refused` after it. */
export type AuditResult = "asked" | "done" | "refused";

/**
 * `before` and `after` are present only for values that do not identify the owner of the session: numbers, flags, times
 * and rights.
 */
export interface AuditedChange {
  name: string;
  before?: unknown;
  after?: unknown;
}

/**
 * One change for each member, named by its path below rights and policies, else by its first name, since names further
 * down may be anything. Values that may be a secret or name a person are omitted. If there are too many changes for a
 * record, only the first names of the members are kept.
 */
export function auditedChanges(before: JsonObject, after: JsonObject): AuditedChange[] {
  const all = changesBetween(before, after).map(({ name, before: was, after: is }) => ({
    name: nameOf(name),
    ...(isPlain(name, was) && { before: was }),
    ...(isPlain(name, is) && { after: is }),
  }));
  const changes = [...new Map(all.map((change) => [change.name, change])).values()];
  return Buffer.byteLength(JSON.stringify(changes)) <= CHANGES_BYTES ? changes : membersOf(changes);
}

/** The limit of an item is 400 KB, and a terminal shows one line of it. */
const CHANGES_BYTES = 64 * 1024;
const MEMBERS = 100;
const NAME_CHARS = 128;

function membersOf(changes: AuditedChange[]): AuditedChange[] {
  const names = new Set(changes.map(({ name }) => topOf(name).slice(0, NAME_CHARS)));
  return [...names].slice(0, MEMBERS).map((name) => ({ name }));
}

const topOf = (name: string) => name.split(".", 1)[0] ?? "";

/** Names below other members may be any text. */
const nameOf = (name: string) => (PLAIN_SESSION.has(topOf(name)) ? name : topOf(name));

function isPlain(name: string, value: unknown): boolean {
  if (value === undefined) return false;
  const top = topOf(name);
  if (PLAIN_SESSION.has(top) || isTime(name, value)) return true;
  return top === name && (typeof value === "number" || typeof value === "boolean");
}

/** One partition for all audit records, ordered by time: there are few. */
export const AUDIT_PARTITION = "audit";

/**
 * In neither index of the table, so lists of events do not contain it. `name`: unique to this record; `ttl` in unix
 * seconds.
 */
export const auditItem = (record: AuditRecord, name: string, ttl: number): Attributes =>
  toAttributes({ pk: AUDIT_PARTITION, sk: `${record.at}#${name}`, ttl, audit: JSON.stringify(record) });

/** The record of an item that `auditItem` made. */
export const auditOf = (item: Attributes) => JSON.parse(String(fromAttributes(item).audit)) as AuditRecord;
