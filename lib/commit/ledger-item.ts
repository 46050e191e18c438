import { ledgerKey } from "../dynamo/state-keys.ts";

/**
 * The handlers that are done for an event, and the number of failed attempts; `version` 0: the item does not exist yet.
 */
export interface LedgerEntry {
  version: number;
  done: string[];
  attempts?: number | undefined;
  /** The digest of the event's content; missing in entries of earlier versions. */
  digest?: string | undefined;
  /** Handlers that are done only according to a mark in the event's session; they are added to the entry. */
  marked?: string[];
}

type Item = Record<string, unknown>;

/** `ttl` in unix seconds. */
export function ledgerItem(
  identity: string,
  { done, attempts = 0, digest, version }: LedgerEntry,
  ttl: number,
): Item {
  return {
    pk: ledgerKey(identity),
    done,
    ...(attempts > 0 && { attempts }),
    ...(digest && { digest }),
    version: version + 1,
    ttl,
  };
}

/**
 * The entry of an item. `old` is the item of version 0.1, whose key did not contain the API: it is used only if `item`
 * is missing, and then has version 0, since the new item is not written yet.
 */
export function entryOf(item: Item | undefined, old: Item | undefined): LedgerEntry {
  const { done = [], attempts = 0, digest } = (item ?? old ?? {}) as Partial<LedgerEntry>;
  return { version: (item?.version as number) ?? 0, done, attempts, digest };
}
