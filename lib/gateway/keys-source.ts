import { AppError } from "../errors.ts";
import type { RateLimit } from "../rate-limit.ts";
import { type Entry, writtenAt } from "../sessions/forms.ts";
import type { Sourced } from "../sessions/import.ts";
import { parseWhole } from "../sessions/whole.ts";
import { isAsked } from "./asked.ts";
import { type Gateway, saysNotHashed } from "./client.ts";

/** The gateway with the keys, and the rate. */
export interface KeysSourceDeps {
  gateway: Pick<Gateway, "get">;
  /** The hash function of the listed keys; "" for raw keys. */
  hashed: string;
  /** False for the canary, which is not a session of a client. */
  isWanted: (key: string) => boolean;
  /** Waits before each request; false if it is time to end. */
  pace: RateLimit;
  /** Concurrent requests. */
  concurrency: number;
}

/** The gateway's sessions of these keys, in their order. */
export function createKeysSource(deps: KeysSourceDeps) {
  async function entryOf(key: string): Promise<Entry | AppError | undefined> {
    if (!deps.isWanted(key)) return undefined;
    if (!isAsked(key)) return new AppError("request-invalid", "no gateway is asked for a key of this form");
    const look = await deps.gateway.get(key);
    if (look === "missing") return new AppError("session-missing", "the gateway does not have this key");
    try {
      const session = parseWhole(look.text);
      return { key, hashed: deps.hashed, session, updatedAt: writtenAt(session), ttl: undefined };
    } catch (thrown) {
      if (thrown instanceof AppError) return thrown;
      throw thrown;
    }
  }

  return async function* (
    keys: AsyncIterable<{ place: number; key: string }>,
  ): AsyncGenerator<Sourced, void> {
    const underWay: Promise<Sourced>[] = [];
    try {
      for await (const { place, key } of keys) {
        if (!(await deps.pace(1))) break;
        const asking = entryOf(key).then((entry) => ({ place, entry }));
        asking.catch(() => {}); // reported when its turn comes
        underWay.push(asking);
        const first = underWay.length >= deps.concurrency ? underWay.shift() : undefined;
        if (first) yield await first;
      }
      for (const asking of underWay.splice(0)) yield await asking;
    } finally {
      await Promise.allSettled(underWay);
    }
  };
}

/** Whether the gateway lists hashes, as it does with `hash_keys`. */
export async function listsHashes(gateway: Pick<Gateway, "get">, listed: string): Promise<boolean> {
  try {
    await gateway.get(listed, { hashed: true });
    return true;
  } catch (thrown) {
    if (saysNotHashed(thrown)) return false;
    throw thrown;
  }
}
