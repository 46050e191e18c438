/** Which handlers are done for an event, and how often one failed; `version` 0: there is no such item yet. */
import { ledgerKey } from "../dynamo/state-keys.ts";
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
