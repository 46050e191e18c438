import { AppError } from "../errors.ts";
import { COMMIT_ACTIONS } from "./store.ts";

/** A transaction may have 4 MB; this leaves a margin for the ledger entries and for the size of numbers in DynamoDB. */
const COMMIT_BYTES = 3_500 * 1024;

const sum = (sizes: Map<string, number>) => [...sizes.values()].reduce((total, bytes) => total + bytes, 0);

/** Whether they fit into one transaction of DynamoDB: 100 actions and 4 MB. `bytes` counts only the sessions' items. */
export function fitsOneCommit(actions: number, bytes: number): boolean {
  return actions <= COMMIT_ACTIONS && bytes <= COMMIT_BYTES;
}

/**
 * Throws `commit-impossible` for writes that do not fit into any transaction; `sizes` in bytes, `fences` is the number
 * of additional fences.
 */
export function checkCommit(sizes: Map<string, number>, fences: number): void {
  const most = COMMIT_ACTIONS - 1 - fences;
  if (sizes.size > most)
    throw impossible(`the handler wrote ${sizes.size} sessions; at most ${most} can be committed as one`);
  const total = sum(sizes);
  if (total > COMMIT_BYTES) {
    throw impossible(
      `the handler wrote sessions of ${total} bytes; at most ${COMMIT_BYTES} can be committed as one`,
    );
  }
}

const impossible = (message: string) => new AppError("commit-impossible", message);
