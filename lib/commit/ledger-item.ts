/** Which handlers are done for an event, and how often one failed; `version` 0: there is no such item yet. */
export interface LedgerEntry {
  version: number;
  done: string[];
  attempts?: number | undefined;
  /** Of the content that the entry is about; not there in entries of versions that did not keep it. */
  digest?: string | undefined;
  /** Handlers that are done by a mark of the event's session alone: the entry is to say so too. */
  marked?: string[];
}

type Item = Record<string, unknown>;

/** The key of an event's entry in the state table. */
export const ledgerKey = (identity: string) => `event#${identity}`;

/** The key of version 0.1, when an id counted for all APIs together. What stands there is still true. */
export const oldLedgerKey = (id: string) => `event#${id}`;

// An API's id is not empty, so no identity begins with #.
/** Since when, in unix seconds, entries have the API in their key. */
export const SCOPED_KEY = ledgerKey("#scoped");
/** What is written to find out whether anything can be. */
export const INNOCENT_KEY = ledgerKey("#innocent");

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

export function entryOf(item: Item | undefined, old: Item | undefined): LedgerEntry {
  const { done = [], attempts = 0, digest } = (item ?? old ?? {}) as Partial<LedgerEntry>;
  return { version: (item?.version as number) ?? 0, done, attempts, digest };
}
