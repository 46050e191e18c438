import type { Compared, SessionChange, SessionHistory } from "../../console/answers.ts";
import { AppError } from "../../lib/errors.ts";
import type { AttemptRecord } from "../../lib/history/records.ts";
import { isObject } from "../../lib/json.ts";
import { threeWay } from "../../lib/sessions/three-way.ts";
import type { RecordedEvents } from "./backend.ts";
import { changesOf } from "./events.ts";

const MOST_CHANGES = 100;

/** The changes of a session by recorded events and by people. */
export async function sessionHistory(
  { read, ofKey, edits }: Pick<RecordedEvents, "read" | "ofKey" | "edits">,
  key: string,
): Promise<SessionHistory> {
  const { reader, name } = (await ofKey?.(key)) ?? { reader: read(), name: key };
  const changes: SessionChange[] = [];
  for await (const line of reader.read())
    if ("attempt" in line) changes.push(...changesIn(line.attempt, name));
  return {
    changes: changes.reverse().slice(0, MOST_CHANGES),
    edits: ((await edits?.(name)) ?? []).slice(0, MOST_CHANGES),
  };
}

function changesIn(
  { id, api_id, at, release = "", event, outcome, runs }: AttemptRecord,
  key: string,
): SessionChange[] {
  return runs.flatMap((run) =>
    run.writes
      .filter((write) => write.key === key)
      .map((write) => ({
        at,
        event: { id, api_id },
        type: event.Type,
        handler: run.handler,
        release,
        counts: run.outcome === "done" && outcome === "done",
        changes: changesOf(write),
        now: write.after === null ? "gone" : "there",
      })),
  );
}

/** Compares the changes of two people to one session. Throws `request-invalid`. */
export function compare(body: unknown): Compared {
  const { base, mine, theirs } = membersOf("the body", body);
  return threeWay(membersOf("base", base), membersOf("mine", mine), membersOf("theirs", theirs));
}

function membersOf(name: string, value: unknown): Record<string, unknown> {
  if (isObject(value)) return value;
  throw new AppError("request-invalid", `${name} must be a JSON object`, { field: name });
}
