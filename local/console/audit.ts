import { AppError } from "../../lib/errors.ts";
import type { AuditRecord, AuditResult } from "../../lib/history/audit.ts";

/** An action before it is done. `key`: of a session; its reference is written instead. */
export type Doing = Pick<AuditRecord, "what" | "before" | "changes" | "count"> &
  ({ key: string } | { target: string });

/** Records an action before it is done; the returned function records its result. */
export type Audit = (doing: Doing) => Promise<(result: AuditResult) => Promise<void>>;

/** With an audit, a change is recorded before it is made, or is not made. */
export async function audited<T>(
  { audit }: { audit?: Audit | undefined },
  doing: () => Promise<Doing> | Doing,
  work: () => Promise<T> | T,
): Promise<T> {
  if (!audit) return work();
  const tell = await audit(await doing());
  try {
    const result = await work();
    // A rejection over HTTP is also an answer.
    await tell(result instanceof Response && !result.ok ? resultOf(result.status) : "done");
    return result;
  } catch (thrown) {
    await tell(resultOf(thrown instanceof AppError ? thrown.status : UNKNOWN));
    throw thrown;
  }
}

const UNKNOWN = 500;

/** After an error that is not a rejection, such as a lost connection, it may have been done. */
const resultOf = (status: number): AuditResult => (status < UNKNOWN ? "refused" : "asked");
