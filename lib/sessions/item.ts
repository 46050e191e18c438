import { isStorableKey } from "./limits.ts";
import type { Session } from "./session.ts";

/**
 * A session as the table has it. A `version` above 0 is the item's, whose session may have ended. Where there is no
 * item it is 0 or less, a random number, and decides the version that a new one gets (`nextVersion`).
 */
export interface StoredSession {
  session: Session | undefined;
  version: number;
  /** Only where a gateway owns the sessions. */
  gateway?: GatewayState | undefined;
  /** The name under which the gateway, and so the table, has this key. */
  fullName?: string;
  /** The marks of its item. */
  marks?: Marks | undefined;
  /** When DynamoDB may remove its item, in unix seconds. */
  ttl?: number;
  /** Read before the ledger of its batch was: only then may a write of it stand for an entry of the ledger. */
  beforeLedger?: true;
}

/** An item of the sessions table, with what those want to know who read many. */
export interface SessionRow {
  key: string;
  stored: StoredSession;
  /** In unix seconds. */
  updatedAt: number;
  /** When DynamoDB may delete it, in unix seconds; 0 is never. */
  ttl: number;
  changedBy: ChangedBy | undefined;
  /** The copies of its members by which it is found; "" where it has none. */
  orgId: string;
  alias: string;
  /** In unix seconds; 0 or less is never. */
  expires: number;
}

/**
 * What an item says of the events, by identity, whose handlers' writes it has while the ledger may not say so yet. Such
 * a mark may go only when the ledger was seen to say it. An item that DynamoDB may remove (`ttl`) has none.
 */
export type Marks = Record<string, Mark>;

/** Which handlers' writes of an event the item has. */
export interface Mark {
  done: string[];
  /** The digest of the event's content. */
  digest?: string;
}

/** Writes into the ledger what these marks say. */
export type ProveMarks = (marks: Marks) => Promise<void>;

/** What an item's next version is put on. */
export type ReadItem = Pick<StoredSession, "version" | "marks">;

/** The marks that go on with the next version. Where DynamoDB may remove that one, they are the ledger's first. */
export async function nextMarks(
  { marks }: ReadItem,
  end: number,
  proveMarks: ProveMarks,
): Promise<Marks | undefined> {
  if (!marks || end <= 0) return marks;
  await proveMarks(marks);
  return undefined;
}

/** The API in whose name a key is read; an organisation's custom keys go by short names there. */
export interface Reader {
  apiId: string;
  orgId: string;
}

/** What an item says of the gateway's copy of its session. */
export interface GatewayState {
  /** `date_created` of what the gateway was seen to have, "" for one without; absent when it never had the key. */
  created?: string;
  /** A change of ours that is not known to be there. */
  change?: Change;
  /** The gateway had the key and deleted it. Handlers see a missing key, and cannot make it again. */
  gone?: boolean;
  /** Since when, in ms, it is not certain that this is what the gateway has. */
  look?: number;
}

/** What an item is to say of the gateway once an edit of it is committed; `reset`: the quota is reset. */
export type ChangedState = (stored: StoredSession, reset: boolean) => GatewayState;

/** What is to be carried to the gateway is the difference between `base` and the item's session. */
export interface Change {
  /** What the gateway had before it, null when it had nothing. */
  base: Session | null;
  /** `wanted`: a handler has reset the quota. `asked`: the gateway was asked for that already. */
  reset?: "wanted" | "asked";
  /** Once the gateway has taken it: until when, in ms, its own cache may undo it. Then it is looked at once more. */
  until?: number | undefined;
  /** How often it was undone. */
  undone?: number;
  /** When a handler made it, in ms; of several, the first. */
  since: number;
}

/** What changed a session last. Items of earlier versions have a handler, or nothing. */
export type ChangedBy = ByHandler | ByWriter;

/** A handler, at an event. */
export interface ByHandler {
  handler: string;
  /** The event's type. */
  event: string;
  event_id: string;
  by?: undefined;
}

/** `gateway`: what owns the sessions. `import`: a command that brought them from elsewhere. */
export const WRITERS = ["api", "cli", "console", "gateway", "import"] as const;
/** What else changes sessions. */
export type Writer = (typeof WRITERS)[number];

/** A change that no handler made. */
export interface ByWriter {
  by: Writer;
  /** The caller's ARN, where AWS says who calls. */
  who?: string;
  handler?: undefined;
  event?: undefined;
}

/** The longest name of a handler, event type or event that an item keeps, in UTF-16 units. */
const NAME_CHARS = 128;
/** The longest ARN of IAM. */
const WHO_CHARS = 2_048;

/** Names are cut at 128 UTF-16 units. */
export const changedByOf = (handler: string, event: string, eventId: string): ChangedBy => ({
  handler: handler.slice(0, NAME_CHARS).toWellFormed(),
  event: event.slice(0, NAME_CHARS).toWellFormed(),
  event_id: eventId.slice(0, NAME_CHARS).toWellFormed(),
});

/** `who`: the ARN of the caller, "" where nobody is known. */
export const changedByWriter = (by: Writer, who = ""): ByWriter => ({
  by,
  ...(who !== "" && { who: who.slice(0, WHO_CHARS).toWellFormed() }),
});

/** For a list; "" where it is not known. */
export function whoChanged(changedBy: ChangedBy | undefined): string {
  if (!changedBy) return "";
  if (changedBy.by === undefined) return changedBy.handler;
  // The last part of an ARN is the person's, or that of the role's session.
  const name = changedBy.who?.split("/").at(-1);
  return name ? `${name} (${changedBy.by})` : changedBy.by;
}

const FIRST_VERSIONS = 2 ** 52;

/**
 * The version that follows the one that was read. A new item must not count from 1 again: a writer that read the key's
 * former item, before it was deleted by hand, by the API or by DynamoDB's TTL, commits on condition of a version that
 * the new one would reach. So it starts at a number that the former one never had, but for a chance in 2^52.
 */
export const nextVersion = (read: number) => Math.abs(read) + 1;

/**
 * The item of a session: a native map, so that it can be queried and read in the console. `now` and `end`, when the
 * store drops it, in unix seconds. Without a session it is what is left of one at a gateway.
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
    // Always there, so that keys without an end show in the index too.
    ...(session && { expires: session.expires ?? 0 }),
    // A key of an index must not be empty.
    ...(session?.org_id && { org_id: session.org_id }),
    ...(session?.alias && isStorableKey(session.alias) && { alias: session.alias }),
    ...(changedBy && { changed_by: changedBy }),
    ...(session && end > 0 && { ttl: end }),
    ...(gateway && { gateway }),
    ...(marks && Object.keys(marks).length > 0 && { marks }),
  };
}

/** What is read of a key that has no item. */
export const newSession = (random: () => number): StoredSession => ({
  session: undefined,
  version: 0 - Math.floor(random() * FIRST_VERSIONS),
});

/** `now` in ms. DynamoDB removes expired items days late, so a reader must not see them. `random` from 0 to 1. */
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

/** Beside a gateway, which decides itself how long it keeps a session: as far as the session tells. */
export const ownEnd = ({ session_lifetime = 0 }: Session = {} as Session, now: number) =>
  session_lifetime > 0 ? now + session_lifetime : 0;
