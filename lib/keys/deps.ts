import type { HashFunction } from "../gateway/key-hash.ts";
import type { Log } from "../log.ts";
import type { SecretCheck } from "../secrets.ts";
import type { SessionRows } from "../sessions/rows.ts";
import type { SessionStore } from "../sessions/store.ts";

/** What the key API works on: the sessions table, where no gateway owns the sessions. */
export interface KeysDeps {
  /** Of the header X-Tyk-Authorization. */
  isSecret: SecretCheck;
  /** By raw keys. */
  store: SessionStore;
  /** By the names of rows. */
  byName: SessionStore;
  rows: Pick<SessionRows, "page">;
  /** With what the table's names are hashed; undefined where they are raw keys. */
  hashFunction: HashFunction | undefined;
  /** The organisation of an API of the live release. */
  orgOf: (apiId: string) => Promise<string | undefined>;
  allowMasterKeys: boolean;
  /** 32 hex digits, for a key that is made up here. */
  newId: () => string;
  /** In ms. */
  now: () => number;
  /** From 0 to 1. */
  random: () => number;
  log: Log;
}

/** What of a request to a key counts. */
export interface KeyRequest {
  /** As the path has it, decoded. */
  name: string;
  query: Record<string, string>;
  body: string;
}

/** Any value means yes, even `false`. */
export const isHashed = ({ query }: KeyRequest) => Boolean(query.hashed);

/** The store that takes a key as this request names it: by its row's name where `hashed` was asked for. */
export const storeFor = ({ store, byName }: KeysDeps, hashed: boolean): SessionStore =>
  hashed ? byName : store;
