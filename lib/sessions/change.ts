import { setTimeout as delay } from "node:timers/promises";
import { AppError } from "../errors.ts";
import type { StoredSession } from "./item.ts";
import type { SessionStore } from "./store.ts";

/** The maximum number of attempts of a write while handlers change the session. */
const ATTEMPTS = 8;

/**
 * Reads and writes, and repeats this while `write` returns undefined because another write came first. Throws
 * session-stale after eight tries.
 */
export async function changeSession<T>(
  key: string,
  { store, random }: { store: SessionStore; random: () => number },
  write: (read: StoredSession) => Promise<T | undefined>,
): Promise<{ stored: StoredSession; result: T }> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    if (attempt > 0) await delay(random() * 10 * 2 ** attempt);
    const stored = await store.read(key);
    const result = await write(stored);
    if (result !== undefined) return { stored, result };
  }
  throw new AppError("session-stale", `${ATTEMPTS} changes of others came first: try again`);
}
