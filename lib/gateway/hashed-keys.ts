import type { Write } from "../commit/commit.ts";
import type { ConsumerStore } from "../commit/store.ts";
import type { SessionStore } from "../sessions/store.ts";
import { type HashFunction, hashKey } from "./key-hash.ts";
import { storedName } from "./key-name.ts";
import type { Rows } from "./rows.ts";

/** The name of a raw key in the table. */
export type KeyName = (rawKey: string) => string;

/**
 * Names keys by their hashes. If a gateway owns the sessions, it is the hash under which the gateway stores the key,
 * whose function depends on the key's own text. Otherwise it is always this function, since 32 bits would be too few.
 */
export const hashedName =
  (hashFunction: HashFunction, hasGateway: boolean): KeyName =>
  (rawKey) =>
    hasGateway ? storedName(true, rawKey) : hashKey(hashFunction, rawKey);

/** The same store, whose items have other names than the requested keys. */
export function renamedConsumerStore(store: ConsumerStore, nameOf: KeyName): ConsumerStore {
  const named = <W extends Write>(write: W): W =>
    write.kind === "ledger" ? write : { ...write, key: nameOf(write.key) };
  return {
    ...store,
    async read(events, keys) {
      const names = new Map(keys.map((key) => [key, nameOf(key)]));
      const read = await store.read(events, [...new Set(names.values())]);
      const sessions = [...names].flatMap(([key, name]) => {
        const stored = read.sessions.get(name);
        return stored ? [[key, stored] as const] : [];
      });
      return { ...read, sessions: new Map(sessions) };
    },
    readSession: (key, reader) => store.readSession(nameOf(key), reader),
    commit: (writes) => store.commit(writes.map(named)),
    put: (writes) => store.put(writes.map(named)),
  };
}

/** The same for the store of the sessions API: it takes raw keys and reads and writes their rows. */
export const renamedSessionStore = (store: SessionStore, nameOf: KeyName): SessionStore => ({
  ...store,
  read: (key) => store.read(nameOf(key)),
  put: (key, ...rest) => store.put(nameOf(key), ...rest),
  remove: (key, read) => store.remove(nameOf(key), read),
});

/** The part of the rows that callers with raw keys use. */
export const renamedRows = (rows: Rows, nameOf: KeyName): Pick<Rows, "keep" | "doubt"> => ({
  keep: (key, ...rest) => rows.keep(nameOf(key), ...rest),
  doubt: (key) => rows.doubt(nameOf(key)),
});
