import { failureOf } from "../consumer/handler-run.ts";
import { DONE, type EventOutcome } from "../consumer/outcome.ts";
import type { Run, Used } from "../runtime/protocol.ts";
import type { Runtime } from "../runtime/runtime.ts";
import type { Session } from "../sessions/session.ts";
import { BATCH_CHARS } from "./recorder.ts";
import type { AttemptRecord, RunRecord } from "./records.ts";
import { createReplayHost, type ReplayDeps, sessionsOf } from "./replay-host.ts";
import { createRunRecorder } from "./run-recorder.ts";

/** A rerun of a handler. */
export interface Rerunning {
  record: RunRecord;
  /** The sessions after it, by name. */
  left: Map<string, Session | undefined>;
}

/** Runs a handler as in the record. */
export async function rerunOne(
  attempt: AttemptRecord,
  recorded: RunRecord,
  runtime: Runtime,
  how: Omit<ReplayDeps, "onWrite" | "onName">,
): Promise<Rerunning> {
  const { handler, path, timeout_ms: timeoutMs, began = Date.parse(attempt.at) } = recorded;
  const run: Run = {
    handler,
    event: JSON.stringify(attempt.event),
    context: JSON.stringify(recorded.context),
    timeoutMs,
    replay: replayOf(recorded, began),
  };
  const left = new Map<string, Session | undefined>();
  const recorder = createRunRecorder(run, path, { left: BATCH_CHARS }, () => began);
  const host = createReplayHost(
    { ...recorded, began },
    {
      allowMasterKeys: attempt.master_keys,
      ...how,
      onName: (...name) => recorder.named(...name),
      onWrite(key, before, after) {
        recorder.wrote(key, before, after);
        left.set(key, after);
      },
    },
  );
  const outcome = await runtime.run(run, recorder.around(host));
  const why = failureOf(outcome, host, { waitedMs: 0, timeoutMs });
  const end: EventOutcome = why ? { is: "failed", failure: why } : DONE;
  recorder.ended(outcome, end);
  const record = recorder.record();
  if (!record) throw new Error(`handler ${handler} did not end`);
  return { record, left: why ? new Map() : left };
}

/** The time for scripts that read the clock now, and did not in the record. */
function replayOf({ used }: RunRecord, began: number): Used {
  return { ...(used?.seed && { seed: used.seed }), clock: used?.clock ?? [began] };
}

/** Notes the sessions that later handlers find changed, compared with the record. */
export function noteChanges(
  changed: Map<string, Session | undefined>,
  recorded: RunRecord | undefined,
  now: Rerunning | undefined,
): void {
  const lastThen = lastWrites(recorded);
  const lastNow = lastWrites(now?.record);
  const before = recorded && sessionsOf(recorded);
  for (const key of new Set([...lastThen.keys(), ...lastNow.keys()])) {
    if (lastThen.has(key) === lastNow.has(key) && lastThen.get(key) === lastNow.get(key)) continue;
    changed.set(key, lastNow.has(key) ? now?.left.get(key) : before?.get(key));
  }
}

function lastWrites(run: RunRecord | undefined): Map<string, string | null> {
  if (run?.outcome === "failed") return new Map();
  return new Map(run?.writes.map(({ key, after }) => [key, after]));
}
