import { createHash, timingSafeEqual } from "node:crypto";
import { Webhook } from "standardwebhooks";
import { AppError } from "../errors.ts";

// Standard Webhooks 1.0: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md

/** The same id at every attempt: see `webhookId`. */
export const ID_HEADER = "webhook-id";
/** Sent without a signature too, so that receivers can recognise old webhooks. */
export const TIMESTAMP_HEADER = "webhook-timestamp";
const SIGNATURE_HEADER = "webhook-signature";

/** The signed data; the body has exactly the bytes that are sent. */
export interface Signed {
  id: string;
  /** Seconds since 1970, of the attempt. */
  timestamp: number;
  body: string;
}

/** The secrets that sign webhooks: one, or the new and the old one during a rotation. */
export type Secrets = readonly [Webhook, ...Webhook[]];

const PREFIX = "whsec_";
const MAX_SECRETS = 2;
const SECRET_BYTES = { least: 24, most: 64 };
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/**
 * Reads the secrets of a setting, separated by spaces or commas. Throws `setting-invalid` with the setting and the
 * rule, but without the secret.
 */
export function parseSecrets(setting: string, text: string): Secrets {
  const written = text.split(/[\s,]+/).filter(Boolean);
  if (written.length > MAX_SECRETS)
    throw invalid(
      setting,
      `has ${written.length} secrets, but one is enough, and two while receivers change`,
    );
  const [first, ...others] = written.map((secret) => signer(setting, secret));
  if (!first) throw invalid(setting, `is empty: it is ${FORM}`);
  return [first, ...others];
}

const FORM = `${PREFIX} and ${SECRET_BYTES.least} to ${SECRET_BYTES.most} random bytes in base64`;

function signer(setting: string, secret: string): Webhook {
  const key = secret.slice(PREFIX.length);
  if (!secret.startsWith(PREFIX))
    throw invalid(setting, `does not begin with ${PREFIX}: a secret is ${FORM}`);
  if (!BASE64.test(key)) throw invalid(setting, `is not base64 after ${PREFIX}: a secret is ${FORM}`);
  const { length } = Buffer.from(key, "base64");
  if (length < SECRET_BYTES.least || length > SECRET_BYTES.most)
    throw invalid(setting, `is a secret of ${length} bytes, but must be ${FORM}`);
  return new Webhook(secret);
}

const invalid = (setting: string, problem: string) =>
  new AppError("setting-invalid", `${setting} ${problem}`, { field: setting });

/** One id for all attempts to deliver an event by an entry of its API, and for no other event or entry. */
export function webhookId(parts: { apiId: string; eventId: string; entry: string }): string {
  const { apiId, eventId, entry } = parts;
  const hash = createHash("sha256").update(JSON.stringify([apiId, eventId, entry]));
  return `msg_${hash.digest("base64url").slice(0, 27)}`;
}

/** The headers that a receiver checks; with two secrets one signature for each, in their order. */
export function signedHeaders(secrets: Secrets, { id, timestamp, body }: Signed): Record<string, string> {
  const signatures = secrets.map((secret) => secret.sign(id, new Date(timestamp * 1000), body));
  return {
    [ID_HEADER]: id,
    [TIMESTAMP_HEADER]: String(timestamp),
    [SIGNATURE_HEADER]: signatures.join(" "),
  };
}

/** The tolerated difference between the receiver's clock and the sender's. */
const TOLERANCE_SECONDS = 300;

/** `secret`: the number of the matching secret, from 1. `reason` is an error message. */
export type Verification = { ok: true; secret: number } | { ok: false; reason: string };

/**
 * Whether a webhook was signed with one of the secrets, and recently: `secret` counts from 1. `now` in seconds; the
 * library's own `verify` uses the current time, so it could not check a webhook of yesterday.
 */
export function verify(
  secrets: Secrets,
  received: { headers: ReadonlyMap<string, string>; body: string },
  now: number,
  tolerance = TOLERANCE_SECONDS,
): Verification {
  const { headers, body } = received;
  const missing = [ID_HEADER, TIMESTAMP_HEADER, SIGNATURE_HEADER].filter((name) => !headers.get(name));
  if (missing.length > 0)
    return failed(`missing ${missing.length === 1 ? "header" : "headers"}: ${missing.join(", ")}`);
  const [id = "", stamp = "", signature = ""] = [ID_HEADER, TIMESTAMP_HEADER, SIGNATURE_HEADER].map((name) =>
    headers.get(name),
  );
  if (!/^\d{1,12}$/.test(stamp)) return failed(`${TIMESTAMP_HEADER} is not a number of seconds since 1970`);
  const timestamp = Number(stamp);
  const given = signature.split(" ").filter((one) => one.startsWith("v1,"));
  if (given.length === 0) return failed(`${SIGNATURE_HEADER} has no signature of the form v1,…`);
  const found = secrets.findIndex((secret) => {
    const expected = secret.sign(id, new Date(timestamp * 1000), body);
    return given.some((one) => isSame(one, expected));
  });
  if (found < 0)
    return failed("no signature fits: the secret, the id, the time stamp or the body is not what was signed");
  const age = now - timestamp;
  if (Math.abs(age) > tolerance)
    return failed(
      `it is signed by secret ${found + 1}, but ${age > 0 ? `${age} seconds ago` : `${-age} seconds ahead of this clock`}` +
        `: at most ${tolerance} are taken`,
    );
  return { ok: true, secret: found + 1 };
}

const failed = (reason: string): Verification => ({ ok: false, reason });

/** In constant time. */
function isSame(given: string, expected: string): boolean {
  const [a, b] = [Buffer.from(given), Buffer.from(expected)];
  return a.length === b.length && timingSafeEqual(a, b);
}
