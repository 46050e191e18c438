import { setTimeout as delay } from "node:timers/promises";
import { AppError } from "../errors.ts";
import type { StoredSession } from "./item.ts";
import type { SessionStore } from "./store.ts";

/** How often a write is tried while handlers change the session. */
const ATTEMPTS = 8;

/**
 * Writes on what was read, and again on fresh data while `write` answers undefined because another write came first.
 * Throws session-stale after eight tries.
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
