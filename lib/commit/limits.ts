import { AppError } from "../errors.ts";
import { COMMIT_ACTIONS } from "./store.ts";

/** A transaction takes 4 MB; some is left for the ledger entries and for how DynamoDB counts numbers. */
const COMMIT_BYTES = 3_500 * 1024;

const sum = (sizes: Map<string, number>) => [...sizes.values()].reduce((total, bytes) => total + bytes, 0);

/** Whether DynamoDB takes them as one transaction: 100 actions and 4 MB. `bytes` of the sessions' items alone. */
export function fitsOneCommit(actions: number, bytes: number): boolean {
  return actions <= COMMIT_ACTIONS && bytes <= COMMIT_BYTES;
}

/**
 * Throws `commit-impossible` for what no transaction can take, however often it is tried; `sizes` in bytes, `fences` that
 * come with them.
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
