import type { HandlerRef } from "../apis/handler-ref.ts";
import { referencesIn } from "../apis/references.ts";
import type { LiveRelease } from "../releases/release.ts";
import type { AttemptRecord, RunRecord } from "./records.ts";

/** A handler that ran in the record, or will run now, or both. */
export interface Planned {
  recorded: RunRecord | undefined;
  run: RunRecord | undefined;
}

/** On the same release, the handlers that ran; on another release, its handlers for the event. */
export function planOf(attempt: AttemptRecord, target: LiveRelease, isSame: boolean): Planned[] {
  const { api_id, event, runs, done_before } = attempt;
  if (isSame) return runs.map((run) => ({ recorded: run, run }));
  const left = [...runs];
  const planned = target.handlers(api_id, event.Type).flatMap((ref): Planned[] => {
    const at = left.findIndex(({ handler }) => handler === ref.name);
    const [recorded] = at < 0 ? [] : left.splice(at, 1);
    // An earlier attempt may have completed it.
    if (!recorded && done_before) return [];
    return [{ recorded, run: inTarget(recorded ?? newRun(attempt, ref), ref, target, attempt) }];
  });
  return [...planned, ...left.map((recorded) => ({ recorded, run: undefined }))];
}

/** For a handler without a recorded run: only the data that other handlers of its event read is known. */
function newRun(
  { id, api_id, n, org_id = "", runs: [first] }: AttemptRecord,
  { name, path }: HandlerRef,
): RunRecord {
  const context = first?.context ?? { APIID: api_id, OrgID: org_id, EventID: id, Attempt: n };
  const { timeout_ms = 5_000, began = 0 } = first ?? {};
  const nothing = { calls: [], logs: [], writes: [] };
  return { handler: name, path, context, timeout_ms, began, ms: 0, outcome: "done", ...nothing };
}

/** With the config_data of the definition, unless it has references: the record has their values of that time. */
function inTarget(
  run: RunRecord,
  { name, path }: HandlerRef,
  target: LiveRelease,
  { api_id }: AttemptRecord,
): RunRecord {
  const { config_data: then, ...context } = run.context;
  const now = target.api(api_id)?.config_data;
  const config_data = now && referencesIn(now).length > 0 ? then : now;
  return {
    ...run,
    path,
    context: { ...context, Handler: name, ...(config_data !== undefined && { config_data }) },
  };
}
