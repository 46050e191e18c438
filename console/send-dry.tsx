import { useState } from "preact/hooks";
import type { RerunAnswer } from "./answers.ts";
import { Notice, useAction } from "./parts.tsx";
import { type RerunChoice, RerunResult, runAgain } from "./rerun.tsx";
import { shown } from "./text.ts";

/** Runs a changed event with the recorded data of the event that it was made from; sends nothing. */
export function TryDry({
  of,
  event,
  canTry,
}: {
  of: { id: string; api_id: string };
  /** Undefined for a list of events. */
  event: unknown;
  canTry: boolean;
}) {
  const [result, setResult] = useState<{ told: RerunAnswer; asked: RerunChoice } | undefined>(undefined);
  const { busy, problem, run } = useAction();
  const rerun = () =>
    run(async () => {
      const asked: RerunChoice = { release: "working", http: "recorded", edit: event };
      setResult({ told: await runAgain(of, asked), asked });
    });
  return (
    <>
      <div class="actions">
        <button type="button" disabled={busy || !canTry || event === undefined} onClick={rerun}>
          Rerun with this
        </button>
        <span class="muted">
          dry: on the files of the folder, with the sessions and answers that are recorded
        </span>
      </div>
      {problem && <Notice kind="fail">{shown(problem)}</Notice>}
      {result && <RerunResult row={of} {...result} onClose={() => setResult(undefined)} />}
    </>
  );
}
