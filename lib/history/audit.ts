import { type Attributes, fromAttributes, toAttributes } from "../dynamo/attributes.ts";
import type { JsonObject } from "../json.ts";
import { changesBetween } from "../sessions/changes.ts";
import { isTime, PLAIN_SESSION } from "./secrets.ts";

/** What a person changed on a stage. It has no key and no content: its readers may lack the right to see sessions. */
export interface AuditRecord {
  /** In ISO 8601. */
  at: string;
  /** The ARN of the IAM identity that did it. */
  who: string;
  what: AuditedAction;
  /** The reference of a session's key, the version of a release, or a group of dead letters. */
  target: string;
  /** The version that was seen before: of the session, or of the release. */
  before?: string;
  /** Members of the session that changed. */
  changes?: AuditedChange[];
  /** How many dead letters. */
  count?: number;
  from: "console";
  /** `asked` stays where the outcome was never known. Of dead letters, `done` means that it was begun. */
  result: AuditResult;
}

/** What people can do in the console. */
export type AuditedAction =
  | "save session"
  | "delete session"
  | "roll back"
  | "redrive dead letters"
  | "delete dead letters";
/** Written as `asked` before the action is tried, and as `done` or `refused` after it. */
export type AuditResult = "asked" | "done" | "refused";

/** `before` and `after` only for values that do not tell whose session it is: numbers, flags, times and rights. */
export interface AuditedChange {
  name: string;
  before?: unknown;
  after?: unknown;
}

/**
 * One change for each member: below rights and policies by its path, else by its first name, since names further down
 * may be anything. Values that may be a secret, or name a person, are left out; of changes that are too many for a
 * record, the first names of the members alone are kept.
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

/** An item takes 400 KB, and a terminal shows a line of it. */
const CHANGES_BYTES = 64 * 1024;
const MEMBERS = 100;
const NAME_CHARS = 128;

function membersOf(changes: AuditedChange[]): AuditedChange[] {
  const names = new Set(changes.map(({ name }) => topOf(name).slice(0, NAME_CHARS)));
  return [...names].slice(0, MEMBERS).map((name) => ({ name }));
}

const topOf = (name: string) => name.split(".", 1)[0] ?? "";

/** Names below other members may be anybody's words. */
const nameOf = (name: string) => (PLAIN_SESSION.has(topOf(name)) ? name : topOf(name));

function isPlain(name: string, value: unknown): boolean {
  if (value === undefined) return false;
  const top = topOf(name);
  if (PLAIN_SESSION.has(top) || isTime(name, value)) return true;
  return top === name && (typeof value === "number" || typeof value === "boolean");
}

/** One partition for all audit records, ordered by time: people make few. */
export const AUDIT_PARTITION = "audit";

/** In neither index of the table: lists of events do not see it. `name`: of this record alone; `ttl` in unix seconds. */
export const auditItem = (record: AuditRecord, name: string, ttl: number): Attributes =>
  toAttributes({ pk: AUDIT_PARTITION, sk: `${record.at}#${name}`, ttl, audit: JSON.stringify(record) });

/** The record that `auditItem` put there. */
export const auditOf = (item: Attributes) => JSON.parse(String(fromAttributes(item).audit)) as AuditRecord;
