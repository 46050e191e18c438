import { createHash } from "node:crypto";
import type { AttributeValue } from "@aws-sdk/client-dynamodb";
import { unmarshall } from "@aws-sdk/util-dynamodb";
import { AppError } from "../errors.ts";
import { formatSession, type Session } from "../sessions/session.ts";

type Image = Record<string, AttributeValue>;

/** What is used of a record of the sessions table's stream. */
export interface StreamRecord {
  eventName?: string | undefined;
  dynamodb?:
    | {
        /** Unix seconds. */
        ApproximateCreationDateTime?: number | undefined;
        Keys?: unknown;
        NewImage?: unknown;
        OldImage?: unknown;
        SequenceNumber?: string | undefined;
      }
    | undefined;
  userIdentity?: { type?: unknown; principalId?: unknown } | undefined;
}

/** A session that became another one, or none. */
export interface Change {
  key: string;
  sequenceNumber: string;
  /** Unix seconds. */
  at: number;
  orgId: string;
  /** `unfit` is a session that is none: an item that was written by hand. */
  action:
    | { operation: "put"; session: string }
    | { operation: "delete" }
    | { operation: "unfit"; error: string };
}

/** How a key is named wherever it must not be read. */
export const keyDigest = (key: string) => createHash("sha256").update(key).digest("hex");

/** For each key its last change, in the order of the stream: a change holds the whole session, not a difference. */
export function lastChanges(records: StreamRecord[]): Change[] {
  const changes = new Map<string, Change>();
  for (const change of records.flatMap((record) => changeOf(record) ?? [])) {
    changes.delete(change.key); // a Map keeps the place of the first
    changes.set(change.key, change);
  }
  return [...changes.values()];
}

/**
 * Undefined when the session stayed as it was, and when the table let it expire: the gateway has the same
 * session_lifetime, and counts it itself.
 */
function changeOf(record: StreamRecord): Change | undefined {
  const { ApproximateCreationDateTime: at = 0, Keys, SequenceNumber = "" } = record.dynamodb ?? {};
  if (isExpiry(record)) return undefined;
  const { before, after } = imagesOf(record);
  const [was, is] = [sessionIn(before), sessionIn(after)];
  if (is.error === undefined && was.error === undefined && is.text === was.text) return undefined;
  const orgId = (after.session ?? before.session)?.M?.org_id?.S ?? "";
  const key = (Keys as Image).key?.S ?? "";
  return { key, sequenceNumber: SequenceNumber, at, orgId, action: actionOf(is) };
}

function actionOf({ text, error }: { text?: string; error?: string }): Change["action"] {
  if (error !== undefined) return { operation: "unfit", error };
  return text === undefined ? { operation: "delete" } : { operation: "put", session: text };
}

/** https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/time-to-live-ttl-streams.html */
function isExpiry({ eventName, userIdentity }: StreamRecord): boolean {
  return eventName === "REMOVE" && userIdentity?.principalId === "dynamodb.amazonaws.com";
}

/** A stream with keys alone would make every change look like a removal. */
function imagesOf({ eventName, dynamodb }: StreamRecord): { before: Image; after: Image } {
  const before = eventName === "INSERT" ? {} : dynamodb?.OldImage;
  const after = eventName === "REMOVE" ? {} : dynamodb?.NewImage;
  if (before && after) return { before: before as Image, after: after as Image };
  const message = "the stream of the sessions table has no images: its view type must be NEW_AND_OLD_IMAGES";
  throw new AppError("setting-invalid", message);
}

/** A deleted session may leave an item without `session` behind. */
function sessionIn({ session }: Image): { text?: string; error?: string } {
  if (session === undefined || session.NULL) return {};
  try {
    // As a script had it: without this, a whole number above 2^53 would be a BigInt, which no session has.
    const plain = unmarshall({ session }, { wrapNumbers: Number });
    return { text: formatSession(plain.session as Session) };
  } catch (thrown) {
    if (!(thrown instanceof AppError)) throw thrown;
    return { error: thrown.message };
  }
}
