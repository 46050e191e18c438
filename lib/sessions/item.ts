import { isStorableKey } from "./limits.ts";
import type { Session } from "./session.ts";

/**
 * The stored state of a session. A `version` above 0 is the version of the item, whose session may have expired.
 * Without an item it is a random number of 0 or less, which determines the version of a new item (`nextVersion`).
 */
export interface StoredSession {
  session: Session | undefined;
  version: number;
  /** Only if a gateway owns the sessions. */
  gateway?: GatewayState | undefined;
  /** The name of this key at the gateway, and so in the table. */
  fullName?: string;
  /** The marks of its item. */
  marks?: Marks | undefined;
  /** When DynamoDB may delete its item, in unix seconds. */
  ttl?: number;
  /** Whether it was read before the ledger of its batch: only then may a mark in it replace a ledger entry. */
  beforeLedger?: true;
}

/** An item of the sessions table, with the attributes for lists. */
export interface SessionRow {
  key: string;
  stored: StoredSession;
  /** In unix seconds. */
  updatedAt: number;
  /** When DynamoDB may delete it, in unix seconds; 0 means never. */
  ttl: number;
  changedBy: ChangedBy | undefined;
  /** The copies of its members in the indexes; "" if missing. */
  orgId: string;
  alias: string;
  /** In unix seconds; 0 or less means never. */
  expires: number;
}

/**
 * The marks of an item: by identity, the events whose writes it has, while the ledger may not have them yet. A mark may
 * be removed only after a read has found it in the ledger. An item that DynamoDB may delete (`ttl`) has no marks.
 */
export type Marks = Record<string, Mark>;

/** The handlers of an event whose writes the item has. */
export interface Mark {
  done: string[];
  /** The digest of the event's content. */
  digest?: string;
}

/** Writes these marks to the ledger. */
export type ProveMarks = (marks: Marks) => Promise<void>;

/** The item that the next version replaces. */
export type ReadItem = Pick<StoredSession, "version" | "marks">;

/** The marks that the next version keeps. If DynamoDB may delete that version, they are written to the ledger first. */
export async function nextMarks(
  { marks }: ReadItem,
  end: number,
  proveMarks: ProveMarks,
): Promise<Marks | undefined> {
  if (!marks || end <= 0) return marks;
  await proveMarks(marks);
  return undefined;
}

/** The API for which a key is read, where an organisation's custom keys have short names. */
export interface Reader {
  apiId: string;
  orgId: string;
}

/** An item's data about the gateway's copy of its session. */
export interface GatewayState {
  /** `date_created` of the gateway's session, "" if it has none; missing if the gateway never had the key. */
  created?: string;
  /** A change of ours that the gateway is not known to have. */
  change?: Change;
  /** The gateway had the key and deleted it. Handlers see a missing key, and cannot create it again. */
  gone?: boolean;
  /** The time since which it is uncertain whether the gateway has this session, in ms. */
  look?: number;
}

/** The gateway data of an item after an edit is committed; `reset`: the quota is reset. */
export type ChangedState = (stored: StoredSession, reset: boolean) => GatewayState;

/** A change for the gateway: the difference between `base` and the item's session. */
export interface Change {
  /** The gateway's session before the change, null if it had none. */
  base: Session | null;
  /** `wanted`: a handler has reset the quota. `asked`: the reset was already sent to the gateway. */
  reset?: "wanted" | "asked";
  /**
   * After the gateway has accepted it: the time until which its cache may undo it, in ms. Then it is checked once more.
   */
  until?: number | undefined;
  /** How often it was undone. */
  undone?: number;
  /** When a handler made it, in ms; the first one of several changes. */
  since: number;
}

/** The last writer of a session. Items of earlier versions have a handler, or nothing. */
export type ChangedBy = ByHandler | ByWriter;

/** A handler that ran for an event. */
export interface ByHandler {
  handler: string;
  /** The event's type. */
  event: string;
  event_id: string;
  by?: undefined;
}

/** `gateway`: the gateway that owns the sessions. `import`: the import command. */
export const WRITERS = ["api", "cli", "console", "gateway", "import"] as const;
/** Other writers of sessions. */
export type Writer = (typeof WRITERS)[number];

/** A change that was not made by a handler. */
export interface ByWriter {
  by: Writer;
  /** The caller's ARN, if AWS identifies the caller. */
  who?: string;
  handler?: undefined;
  event?: undefined;
}

/** The longest name of a handler, event type or event id in an item, in UTF-16 units. */
const NAME_CHARS = 128;
/** The longest ARN of IAM. */
const WHO_CHARS = 2_048;

/** Names are cut at 128 UTF-16 units. */
export const changedByOf = (handler: string, event: string, eventId: string): ChangedBy => ({
  handler: handler.slice(0, NAME_CHARS).toWellFormed(),
  event: event.slice(0, NAME_CHARS).toWellFormed(),
  event_id: eventId.slice(0, NAME_CHARS).toWellFormed(),
});

/** `who`: the ARN of the caller, "" if unknown. */
export const changedByWriter = (by: Writer, who = ""): ByWriter => ({
  by,
  ...(who !== "" && { who: who.slice(0, WHO_CHARS).toWellFormed() }),
});

/** The text for a list; "" if unknown. */
export function whoChanged(changedBy: ChangedBy | undefined): string {
  if (!changedBy) return "";
  if (changedBy.by === undefined) return changedBy.handler;
  // The last part of an ARN is the name of the user, or of the role's session.
  const name = changedBy.who?.split("/").at(-1);
  return name ? `${name} (${changedBy.by})` : changedBy.by;
}

const FIRST_VERSIONS = 2 ** 52;

/**
 * The version after the one that was read. A new item must not start at 1: a writer that read the key's former item,
 * before it was deleted by hand, by the API or by DynamoDB's TTL, commits on condition of a version that the new item
 * would reach. So it starts at a random number; the probability that the former item had that version is 1 in 2^52.
 */
export const nextVersion = (read: number) => Math.abs(read) + 1;

/**
 * The item of a session: a native map, so that it can be queried and read in the AWS console. `now` and `end`, when
 * DynamoDB deletes it, in unix seconds. Without a session it is a tombstone.
 */
export function sessionItem(
  key: string,
  session: Session | undefined,
  version: number,
  now: number,
  gateway?: GatewayState,
  end: number = ownEnd(session, now),
  changedBy?: ChangedBy,
  marks?: Marks,
): Record<string, unknown> {
  return {
    key,
    ...(session && { session }),
    version,
    updated_at: now,
    // Always present, so that the index also has keys that never expire.
    ...(session && { expires: session.expires ?? 0 }),
    // An index key must not be empty.
    ...(session?.org_id && { org_id: session.org_id }),
    ...(session?.alias && isStorableKey(session.alias) && { alias: session.alias }),
    ...(changedBy && { changed_by: changedBy }),
    ...(session && end > 0 && { ttl: end }),
    ...(gateway && { gateway }),
    ...(marks && Object.keys(marks).length > 0 && { marks }),
  };
}

/** The stored state of a key without an item. */
export const newSession = (random: () => number): StoredSession => ({
  session: undefined,
  version: 0 - Math.floor(random() * FIRST_VERSIONS),
});

/** `now` in ms. DynamoDB deletes expired items days late, so they are treated as missing. `random` from 0 to 1. */
export function storedSession(
  item: Record<string, unknown> | undefined,
  now: number,
  random: () => number,
): StoredSession {
  if (!item) return newSession(random);
  const ended = typeof item.ttl === "number" && item.ttl * 1000 <= now;
  const gateway = item.gateway as GatewayState | undefined;
  const marks = item.marks as Marks | undefined;
  return {
    session: ended ? undefined : (item.session as Session | undefined),
    version: item.version as number,
    ...(gateway && { gateway }),
    ...(marks && { marks }),
    ...(typeof item.ttl === "number" && { ttl: item.ttl }),
  };
}

/** With a gateway, which determines the lifetime itself: only what the session itself says. */
export const ownEnd = ({ session_lifetime = 0 }: Session = {} as Session, now: number) =>
  session_lifetime > 0 ? now + session_lifetime : 0;
