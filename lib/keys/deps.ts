import type { HashFunction } from "../gateway/key-hash.ts";
import type { Log } from "../log.ts";
import type { SecretCheck } from "../secrets.ts";
import type { SessionRows } from "../sessions/rows.ts";
import type { SessionStore } from "../sessions/store.ts";

/** The dependencies of the key API, which works on the sessions table if no gateway owns the sessions. */
export interface KeysDeps {
  /** Of the header X-Tyk-Authorization. */
  isSecret: SecretCheck;
  /** By raw keys. */
  store: SessionStore;
  /** By the names of rows. */
  byName: SessionStore;
  rows: Pick<SessionRows, "page">;
  /** The hash function of the table's names; undefined for raw keys. */
  hashFunction: HashFunction | undefined;
  /** The organisation of an API of the live release. */
  orgOf: (apiId: string) => Promise<string | undefined>;
  allowMasterKeys: boolean;
  /** 32 hex digits, for a generated key. */
  newId: () => string;
  /** In ms. */
  now: () => number;
  /** From 0 to 1. */
  random: () => number;
  log: Log;
}

/** The relevant parts of a request for a key. */
export interface KeyRequest {
  /** From the path, decoded. */
  name: string;
  query: Record<string, string>;
  body: string;
}

/** Any value means yes, even `false`. */
export const isHashed = ({ query }: KeyRequest) => Boolean(query.hashed);

/** The store for the key of a request: by the row's name if the request has `hashed`. */
export const storeFor = ({ store, byName }: KeysDeps, hashed: boolean): SessionStore =>
  hashed ? byName : store;
