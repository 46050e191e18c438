import type { AuditRecord, AuditResult } from "../../lib/history/audit.ts";

/** What is about to be done. `key`: of a session, for which its reference is written. */
export type Doing = Pick<AuditRecord, "what" | "before" | "changes" | "count"> &
  ({ key: string } | { target: string });

/** Writes down what is about to be done; the answer writes down what became of it. */
export type Audit = (doing: Doing) => Promise<(result: AuditResult) => Promise<void>>;

/** Where changes are audited, a change is written down before it is made, or not made. */
export async function audited<T>(
  { audit }: { audit?: Audit | undefined },
  doing: () => Promise<Doing> | Doing,
  work: () => Promise<T> | T,
): Promise<T> {
  if (!audit) return work();
  const tell = await audit(await doing());
  try {
    const result = await work();
    // A refusal over HTTP is an answer too.
    await tell(result instanceof Response && !result.ok ? "refused" : "done");
    return result;
  } catch (thrown) {
    await tell("refused");
    throw thrown;
  }
}
