import { AppError } from "../errors.ts";

/** A value with its expiry: `expiresAt` in unix seconds, 0 for never. */
export interface Entry {
  value: string;
  expiresAt: number;
}

/**
 * The store of the entries. Each call affects one item and takes effect once, even if it is repeated; `put` returns
 * false unless the entry is still `before`.
 */
export interface EntryStore {
  get(key: string): Promise<Entry | undefined>;
  put(key: string, entry: Entry, before?: Entry | undefined | "any"): Promise<boolean>;
  remove(key: string): Promise<void>;
}

/** The gateway's TykStorage* functions: what a script shares between its runs, immediately and outside of commits. */
export interface Storage {
  /** Returns the script's result; throws `storage-failed` with the gateway's message. */
  call(operation: string, key: string, value: string, ttlSeconds: number): Promise<unknown>;
}

const KEY_BYTES = 256;
const VALUE_BYTES = 65_536;
/** The maximum number of attempts of a change if another one comes between its read and its write. */
const ATTEMPTS = 50;

/** `now` in ms. Keys take 256 bytes and values 65,536 at most, as in the gateway. */
export function createStorage(deps: { entries: EntryStore; now: () => number }): Storage {
  const { entries } = deps;
  const seconds = () => Math.floor(deps.now() / 1000);
  const end = (ttl: number) => (ttl > 0 ? seconds() + ttl : 0);

  /** DynamoDB deletes expired items days late, so they are ignored here. */
  async function live(key: string): Promise<{ entry: Entry | undefined; stored: Entry | undefined }> {
    const stored = await entries.get(key);
    const gone = stored && stored.expiresAt > 0 && stored.expiresAt <= seconds();
    return { entry: gone ? undefined : stored, stored };
  }

  const operations = new Map<string, (key: string, value: string, ttl: number) => Promise<unknown>>([
    ["get", async (key) => (await live(key)).entry?.value ?? null],
    ["set", async (key, value, ttl) => void (await entries.put(key, { value, expiresAt: end(ttl) }, "any"))],
    ["del", async (key) => void (await entries.remove(key))],
    [
      "setnx",
      async (key, value, ttl) => {
        if (ttl < 0) throw new AppError("storage-failed", "invalid expire time");
        return (
          (await change(key, (entry) => (entry ? undefined : { value, expiresAt: end(ttl) }))) !== undefined
        );
      },
    ],
    [
      "ttl",
      async (key) => {
        const { entry } = await live(key);
        if (!entry) return -2;
        return entry.expiresAt === 0 ? -1 : entry.expiresAt - seconds();
      },
    ],
    ["incr", increment],
  ]);

  /** Stores the changed entry, and returns it; undefined if there is no change. */
  async function change(key: string, make: (entry?: Entry) => Entry | undefined): Promise<Entry | undefined> {
    for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
      const { entry, stored } = await live(key);
      const made = make(entry);
      if (!made || (await entries.put(key, made, stored))) return made;
    }
    throw new AppError("storage-failed", `${ATTEMPTS} changes by others came first`);
  }

  async function increment(key: string, _value: string, ttl: number): Promise<string | undefined> {
    const made = await change(key, (entry) => {
      const value = incremented(entry?.value ?? "0");
      return { value, expiresAt: value === "1" && ttl > 0 ? end(ttl) : (entry?.expiresAt ?? 0) };
    });
    return made?.value;
  }

  return {
    async call(operation, key, value, ttlSeconds) {
      const bytes = Buffer.byteLength(key);
      if (bytes < 1 || bytes > KEY_BYTES)
        throw new AppError("storage-failed", `storage key must be 1-${KEY_BYTES} bytes`);
      if (Buffer.byteLength(value) > VALUE_BYTES) {
        throw new AppError("storage-failed", `storage value exceeds ${VALUE_BYTES} bytes`);
      }
      const run = operations.get(operation);
      if (!run) throw new AppError("storage-failed", `there is no storage operation ${operation}`);
      return run(key, value, ttlSeconds);
    },
  };
}

/** Increments an integer in a text, exact beyond 2^53 as in Redis. */
function incremented(text: string): string {
  if (!/^-?\d{1,19}$/.test(text))
    throw new AppError("storage-failed", "value is not an integer or out of range");
  const next = BigInt(text) + 1n;
  if (next > 9_223_372_036_854_775_807n) throw new AppError("storage-failed", "increment would overflow");
  return String(next);
}

/** Entries in memory, for a run without a table. */
export function createMemoryEntries(): EntryStore {
  const entries = new Map<string, Entry>();
  return {
    get: async (key) => entries.get(key),
    async put(key, entry, before) {
      if (before !== "any" && entries.get(key) !== before) return false;
      entries.set(key, entry);
      return true;
    },
    remove: async (key) => void entries.delete(key),
  };
}
