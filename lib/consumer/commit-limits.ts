import { AppError } from "../errors.ts";
import type { Session } from "../sessions/session.ts";
import { COMMIT_ACTIONS } from "./store.ts";

/** The largest item that DynamoDB takes is 400 KB; some is left for keys and names. */
const ITEM_BYTES = 380 * 1024;

/** Throws `commit-impossible` for what no transaction can take, however often it is tried. */
export function refuseImpossible(writes: Map<string, Session>): void {
  if (writes.size + 1 > COMMIT_ACTIONS) {
    const message = `the handler wrote ${writes.size} sessions; at most ${COMMIT_ACTIONS - 1} can be committed as one`;
    throw new AppError("commit-impossible", message);
  }
  for (const [key, session] of writes) {
    const bytes = Buffer.byteLength(JSON.stringify(session)) + Buffer.byteLength(key);
    if (bytes > ITEM_BYTES) {
      throw new AppError(
        "commit-impossible",
        `a session of ${bytes} bytes cannot be stored; at most ${ITEM_BYTES} can`,
      );
    }
  }
}
