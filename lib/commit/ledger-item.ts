import { ledgerKey } from "../dynamo/state-keys.ts";

/** Which handlers are done for an event, and how often one failed; `version` 0: its item does not exist yet. */
export interface LedgerEntry {
  version: number;
  done: string[];
  attempts?: number | undefined;
  /** The digest of the event's content; absent in entries of earlier versions. */
  digest?: string | undefined;
  /** Handlers that are done by a mark of the event's session alone: the entry is to say so too. */
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
 * The entry of an item. `old` is the item of version 0.1, whose key had no API in it: it counts only where `item` is
 * missing, and has version 0 then, since the new item is yet to be written.
 */
export function entryOf(item: Item | undefined, old: Item | undefined): LedgerEntry {
  const { done = [], attempts = 0, digest } = (item ?? old ?? {}) as Partial<LedgerEntry>;
  return { version: (item?.version as number) ?? 0, done, attempts, digest };
}
