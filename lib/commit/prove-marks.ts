import { type DynamoDBClient, PutItemCommand } from "@aws-sdk/client-dynamodb";
import { fromAttributes, toAttributes } from "../dynamo/attributes.ts";
import { batchGet } from "../dynamo/batch-get.ts";
import { condition } from "../dynamo/condition.ts";
import { ATTEMPTS, dependencyFailed, pauseBefore } from "../dynamo/retry.ts";
import { ledgerKey } from "../dynamo/state-keys.ts";
import { transactionErrorOf } from "../dynamo/transaction-error.ts";
import type { Mark, ProveMarks } from "../sessions/item.ts";
import { entryOf, type LedgerEntry, ledgerItem } from "./ledger-item.ts";

/** `now` in ms, `random` from 0 to 1. `ledgerTtlSeconds` as for any ledger entry. */
export interface ProveMarksDeps {
  dynamo: Pick<DynamoDBClient, "send">;
  stateTable: string;
  ledgerTtlSeconds: number;
  now: () => number;
  random: () => number;
}

/**
 * Writes marks to the ledger, as far as it does not have them, before they are deleted. Throws only
 * `dependency-failed`: any other error would count as a failed attempt of the event that is being committed.
 */
export function createProveMarks({
  dynamo,
  stateTable,
  ledgerTtlSeconds,
  now,
  random,
}: ProveMarksDeps): ProveMarks {
  async function entriesOf(identities: string[]): Promise<Map<string, LedgerEntry>> {
    const keys = identities.map((identity) => ({ pk: ledgerKey(identity) }));
    const items = await batchGet(dynamo, stateTable, keys, { random, consistent: true }).catch(readFailed);
    const found = new Map(items.map((item) => [item.pk?.S, fromAttributes(item)]));
    return new Map(identities.map((id) => [id, entryOf(found.get(ledgerKey(id)), undefined)]));
  }

  /** False if others changed the entry in the meantime. */
  async function say(identity: string, { done, digest }: Mark, entry: LedgerEntry): Promise<boolean> {
    const missing = done.filter((handler) => !entry.done.includes(handler));
    if (missing.length === 0) return true;
    const said = { ...entry, done: [...entry.done, ...missing], digest: entry.digest ?? digest };
    const Item = toAttributes(ledgerItem(identity, said, Math.floor(now() / 1000) + ledgerTtlSeconds));
    try {
      await dynamo.send(new PutItemCommand({ TableName: stateTable, Item, ...condition(entry.version) }));
      return true;
    } catch (thrown) {
      // Also if the response was lost: the next read finds the entry.
      const { kind } = transactionErrorOf(thrown);
      if (kind === "changed" || kind === "unknown" || kind === "cancelled") return false;
      throw dependencyFailed("PutItem", thrown);
    }
  }

  return async (marks) => {
    let open = Object.entries(marks);
    for (let attempt = 0; open.length > 0; attempt += 1) {
      if (attempt === ATTEMPTS)
        throw dependencyFailed("PutItem", new Error("others change the ledger again and again"));
      if (attempt > 0) await pauseBefore(attempt, random);
      const entries = await entriesOf(open.map(([identity]) => identity));
      const isSaid = await Promise.all(
        open.map(([identity, mark]) => say(identity, mark, entries.get(identity) ?? NO_ENTRY)),
      );
      open = open.filter((_, index) => !isSaid[index]);
    }
  };
}

function readFailed(thrown: unknown): never {
  throw dependencyFailed("BatchGetItem", thrown);
}

const NO_ENTRY: LedgerEntry = { version: 0, done: [] };
