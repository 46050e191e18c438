import { AppError } from "../errors.ts";
import { type Decoder, decodeJson, integer, lean, string } from "../go/decode.ts";
import { outline } from "../go/json.ts";
import { quote } from "../go/text.ts";
import { type ChangedBy, changedByWriter, WRITERS, type Writer } from "./item.ts";
import { SESSION_BYTES, SESSION_VALUES } from "./limits.ts";
import type { Line } from "./line-reader.ts";
import type { Session } from "./session.ts";
import { decodeWhole, formatWhole, parseWhole } from "./whole.ts";

// The formats of a file of sessions: one JSON object on each line, ours or a Redis key with its value.

/** A session of an export or import. */
export interface Entry {
  /** The raw key, or its hash. */
  key: string;
  /** The hash function of the key: "" for a raw key, undefined if the source does not say. */
  hashed: string | undefined;
  session: Session;
  /** When it was written last, in unix seconds; undefined if unknown. */
  updatedAt: number | undefined;
  /** When the store deletes it, in unix seconds, 0 for never; undefined if its own lifetime determines that. */
  ttl: number | undefined;
  changedBy?: ChangedBy | undefined;
}

/** More than any session needs: in JSON a character may take six. */
export const LINE_BYTES = 8 * SESSION_BYTES;

/** The other members of a line. */
const AROUND_VALUES = 50;

/** The prefix of a key's name in a gateway's Redis. */
const REDIS_PREFIX = "apikey-";

/** Distinguishes an empty member from a missing one. */
const boxed =
  <T>(decode: Decoder<T>): Decoder<{ inner: T } | undefined> =>
  (value) =>
    value === undefined ? undefined : { inner: decode(value) };

const line = lean({
  key: string,
  hashed: string,
  session: boxed(decodeWhole),
  updated_at: boxed(integer),
  ttl: boxed(integer),
  changed_by: lean({ handler: string, event: string, event_id: string, by: string, who: string }),
  type: string,
  value: boxed(string),
});
type Members = ReturnType<typeof line>;

/**
 * The session of a line in either format; undefined for a Redis key that is not a session. `now` in unix seconds.
 * Throws a coded error for anything else.
 */
export function readEntry({ text = "", isWhole }: Line, now: number): Entry | undefined {
  try {
    const { values } = outline(text);
    if (values > SESSION_VALUES + AROUND_VALUES)
      throw new AppError(
        "session-too-large",
        `a session has at most ${SESSION_VALUES} members and items; this line has ${values}`,
      );
    const members = decodeJson(text, line);
    return members.value && !members.session ? ofRedis(members, members.value.inner, now) : ofOurs(members);
  } catch (thrown) {
    if (!(thrown instanceof AppError) || thrown.code !== "json-invalid") throw thrown;
    const { message, field = "" } = thrown;
    if (field !== "") throw new AppError("session-invalid", message, { cause: thrown, field });
    const isCut = !isWhole && message.includes("not JSON");
    if (!isCut) throw thrown;
    throw new AppError("json-invalid", "the file was cut off in the middle of this line", { cause: thrown });
  }
}

function ofOurs({ key = "", hashed = "", session, updated_at, ttl, changed_by }: Members): Entry {
  if (!session) throw missing("session", "a session with its key, or a Redis key with its value");
  if (key === "") throw missing("key", "the key of the session");
  return {
    key,
    hashed,
    session: session.inner,
    updatedAt: updated_at?.inner,
    // For a session without that time, a lifetime starts now.
    ttl: ttl?.inner ?? (session.inner.session_lifetime ? undefined : 0),
    ...(changed_by && { changedBy: changedByIn(changed_by) }),
  };
}

function changedByIn({ by, who, ...handlers }: NonNullable<Members["changed_by"]>): ChangedBy {
  if (!by) return { handler: "", event: "", event_id: "", ...handlers };
  if (isWriter(by)) return changedByWriter(by, who);
  throw new AppError(
    "session-invalid",
    `changed_by.by is ${quote(by)}, and must be one of ${WRITERS.join(", ")}`,
    {
      field: "changed_by.by",
    },
  );
}

const isWriter = (by: string): by is Writer => (WRITERS as readonly string[]).includes(by);

function ofRedis(members: Members, value: string, now: number): Entry | undefined {
  const { key = "", type = "string", ttl = { inner: -1 } } = members;
  if (!key.startsWith(REDIS_PREFIX)) return undefined;
  if (type !== "string")
    throw new AppError("session-invalid", `type is ${quote(type)}, but a session is a string`);
  const session = parseWhole(value);
  return {
    key: key.slice(REDIS_PREFIX.length),
    hashed: undefined,
    session,
    updatedAt: writtenAt(session),
    ttl: ttl.inner > 0 ? now + ttl.inner : 0,
  };
}

const missing = (field: string, what: string) =>
  new AppError("session-invalid", `${field} is missing: ${what}`, { field });

/** When a gateway wrote a session last, according to the session itself, in unix seconds. */
export function writtenAt({ last_updated = "" }: Session): number | undefined {
  return /^\d{1,15}$/.test(last_updated) ? Number(last_updated) : undefined;
}

/** A line from which `readEntry` reads the same entry. */
export function formatEntry({ key, hashed, session, updatedAt, ttl, changedBy }: Entry): string {
  const before = JSON.stringify({ key, ...(hashed && { hashed }) });
  const after = JSON.stringify({
    ...(updatedAt !== undefined && { updated_at: updatedAt }),
    ...((ttl || session.session_lifetime) && { ttl }),
    ...(changedBy && { changed_by: inOrder(changedBy) }),
  });
  const parts = [before, `{"session":${formatWhole(session)}}`, after].map((part) => part.slice(1, -1));
  return `{${parts.filter(Boolean).join()}}`;
}

/** Maps in DynamoDB have no order. */
const inOrder = (changedBy: ChangedBy): ChangedBy => {
  if (changedBy.by !== undefined) return changedByWriter(changedBy.by, changedBy.who);
  const { handler, event, event_id } = changedBy;
  return { handler, event, event_id };
};

/** The same as a Redis key with its value; `now` in unix seconds. */
export function formatRedisEntry({ key, session, ttl = 0 }: Entry, now: number): string {
  return JSON.stringify({
    key: REDIS_PREFIX + key,
    type: "string",
    value: formatWhole(session),
    ttl: ttl > 0 ? Math.max(1, ttl - now) : -1,
  });
}
