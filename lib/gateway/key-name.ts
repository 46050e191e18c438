import { type HashFunction, hashKey, isHashFunction } from "./key-hash.ts";

/** The content of a key in token form: base64 of `{"org":"…","id":"…","h":"…"}`. */
export interface Token {
  org: string;
  id: string;
  /** Empty if the token has none, or cannot be read that far. */
  h: string;
}

/**
 * The full name of a key with a custom name: the raw key, which POST returns and events contain. `name` may have the
 * organisation in front. `hashKeyFunction` is the gateway's `hash_key_function`; if that is empty, a key is the
 * organisation followed by the name.
 */
export function fullName(hashKeyFunction: string, orgId: string, name: string): string {
  const id = orgId !== "" && name.startsWith(orgId) ? name.slice(orgId.length) : name;
  if (hashKeyFunction === "") return orgId + id;
  const [before, after] = aroundId(hashKeyFunction, orgId);
  return Buffer.from(before + id + after).toString("base64");
}

/** A token is concatenated as text, as in the gateway: with a quote in the name it is not valid JSON. */
function aroundId(hashKeyFunction: string, orgId: string): [before: string, after: string] {
  const hash = isHashFunction(hashKeyFunction) ? hashKeyFunction : "murmur64";
  return [`{"org":"${orgId}","id":"`, `","h":"${hash}"}`];
}

/**
 * The name with which POST creates exactly this key; undefined if there is none, as for a token with the hash function
 * of another configuration. POST treats its argument as a name: a token would be nested in another one.
 */
export function creationName(hashKeyFunction: string, orgId: string, rawKey: string): string | undefined {
  const [before, after] = aroundId(hashKeyFunction, orgId);
  const id = Buffer.from(rawKey, "base64").toString().slice(before.length, -after.length);
  return [id, rawKey].find((name) => isCreatable(name) && fullName(hashKeyFunction, orgId, name) === rawKey);
}

/** Undefined for a key that is not in token form. It is read as far as it is well formed, as in a gateway. */
export function readToken(rawKey: string): Token | undefined {
  if (!rawKey.startsWith("ey") || !BASE64.test(rawKey)) return undefined;
  const members = new Map<string, string>();
  for (const { groups } of Buffer.from(rawKey, "base64").toString().matchAll(MEMBER))
    members.set(groups?.name ?? "", groups?.text ?? "");
  return { org: members.get("org") ?? "", id: members.get("id") ?? "", h: members.get("h") ?? "" };
}

/** As in Go's decoder: with padding, in the standard alphabet. */
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;
const MEMBER = /[{,]\s*"(?<name>\w+)"\s*:\s*(?:"(?<text>(?:[^"\\]|\\.)*)"|[^",{}[\]]+)\s*/gsy;

/** The organisation in a raw key; empty if it has none. */
export function orgOf(rawKey: string): string {
  const org = readToken(rawKey)?.org;
  if (org) return org;
  return Buffer.byteLength(rawKey) > OBJECT_ID_DIGITS && OBJECT_ID.test(rawKey)
    ? rawKey.slice(0, OBJECT_ID_DIGITS)
    : "";
}

const OBJECT_ID_DIGITS = 24;
const OBJECT_ID = /^[0-9a-f]{24}/i;

/**
 * The hash function for this key in a gateway with hash_keys: it depends on the key's own text, not on the
 * configuration.
 */
export function hashFunctionOf(rawKey: string): HashFunction {
  const named = readToken(rawKey)?.h ?? "";
  return isHashFunction(named) ? named : "murmur32";
}

/** The name under which a gateway stores and lists a raw key; with `hash_keys` that is its hash. */
export function storedName(hashKeys: boolean, rawKey: string): string {
  return hashKeys ? hashKey(hashFunctionOf(rawKey), rawKey) : rawKey;
}

/** Whether a key can be in the path `/tyk/keys/{key}`, which accepts no slash, not even an escaped one. */
export const isAddressable = (key: string) => !/^$|\/|^\.\.?$/.test(key);

/** POST to these paths does something else. */
const isCreatable = (name: string) => isAddressable(name) && name !== "create" && name !== "preview";

/**
 * Whether an event's Key is not a key, and must never be requested from a gateway: an empty text (the request would
 * list all keys), a basic-auth header (it contains the password), the name of an API's rate limiter, the text for an
 * identity that was not found, and a text that cannot be in a path.
 */
export function isNeverAsked(key: string): boolean {
  return (
    !isAddressable(key) || /^basic\s/i.test(key) || key.startsWith("apilimiter-") || key === "[NOT FOUND]"
  );
}
