import { AppError } from "../errors.ts";
import { SESSION_BYTES, sessionBytes } from "../sessions/item.ts";
import type { Session } from "../sessions/session.ts";
import { COMMIT_ACTIONS } from "./store.ts";

/** A transaction takes 4 MB; some is left for the ledger entries and for how DynamoDB counts numbers. */
const COMMIT_BYTES = 3_500 * 1024;

export const sum = (sizes: Map<string, number>) =>
  [...sizes.values()].reduce((total, bytes) => total + bytes, 0);

export function fitsOneCommit(actions: number, bytes: number): boolean {
  return actions <= COMMIT_ACTIONS && bytes <= COMMIT_BYTES;
}

/** Bytes of each session; throws `commit-impossible` for what no transaction can take, however often it is tried. */
export function sizesOf(writes: Map<string, Session>): Map<string, number> {
  const sizes = new Map([...writes].map(([key, session]) => [key, sessionBytes(key, session)]));
  if (sizes.size + 1 > COMMIT_ACTIONS) {
    throw impossible(
      `the handler wrote ${sizes.size} sessions; at most ${COMMIT_ACTIONS - 1} can be committed as one`,
    );
  }
  const largest = Math.max(0, ...sizes.values());
  if (largest > SESSION_BYTES)
    throw impossible(`a session of ${largest} bytes cannot be stored; at most ${SESSION_BYTES} can`);
  const total = sum(sizes);
  if (total > COMMIT_BYTES) {
    throw impossible(
      `the handler wrote sessions of ${total} bytes; at most ${COMMIT_BYTES} can be committed as one`,
    );
  }
  return sizes;
}

const impossible = (message: string) => new AppError("commit-impossible", message);
