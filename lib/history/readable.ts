import { isObject, isText, type JsonObject, objectOf } from "../json.ts";
import type { AttemptRecord } from "./records.ts";

// What a line of a history must have to be listed: in a folder, a table or a bucket, others may have written some.

/** Whether lists can show it: one broken line must not hide all others. */
export function isReadable(line: Partial<Record<"attempt" | "received" | "refused", unknown>>): boolean {
  const { attempt, received, refused } = line;
  if (attempt !== undefined) return isAttempt(attempt);
  if (received !== undefined) return isOfEvent(objectOf(received), ["type"]);
  return isOfEvent(objectOf(refused), ["code", "error"], ["field"]);
}

/** Whether lists can show it, from decoded JSON. */
export function isAttempt(value: unknown): value is AttemptRecord {
  const record = objectOf(value);
  const { event, runs, n, ms } = record;
  const { Type, Meta } = objectOf(event);
  return (
    isOfEvent(record, ["outcome"], ["org_id", "sent_at", "reason", "error", "release", "next_at"]) &&
    [n, ms].every((value) => typeof value === "number") &&
    isText(Type) &&
    isObject(Meta) &&
    Array.isArray(runs) &&
    runs.every(isRun)
  );
}

function isRun(run: unknown): boolean {
  const { handler, writes, used } = objectOf(run);
  const areWrites = Array.isArray(writes) && writes.every(isObject);
  return isText(handler) && areWrites && (used === undefined || isObject(objectOf(used).load));
}

/** Whether it names an event and a time. `texts`: further texts; `optional`: those that may be missing. */
function isOfEvent(record: JsonObject, texts: string[], optional: string[] = []): boolean {
  const { at } = record;
  return (
    ["id", "api_id", "at", ...texts].every((name) => isText(record[name])) &&
    optional.every((name) => record[name] === undefined || isText(record[name])) &&
    !Number.isNaN(Date.parse(String(at)))
  );
}
