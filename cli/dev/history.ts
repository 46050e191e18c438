import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { errorText } from "../../lib/errors.ts";
import { FORMAT, lineOf } from "../../lib/history/records.ts";
import { HISTORY_LIMITS, type HistoryWriter, openHistory } from "../../local/history-writer.ts";
import { STATE_FOLDER } from "../../local/state-folder.ts";
import { printError } from "../terminal/print.ts";
import type { LogLine, LogLines } from "./log-lines.ts";

/** The history of a folder of `dev`. */
export const historyFolder = (dir: string) => join(dir, STATE_FOLDER, "history");

/** Keeps the history of this folder's events for `gatehook events`. */
export function keepHistory(
  dir: string,
  events: number,
  facts: LogLines,
  onLine: () => void = () => {},
): HistoryWriter {
  const folder = historyFolder(dir);
  const writer = openHistory(folder, { ...HISTORY_LIMITS, lines: events }, (thrown) =>
    printError(`gatehook: events are not recorded in ${folder}: ${errorText(thrown)}; everything else works`),
  );
  function append(line: string): void {
    writer.append(line);
    onLine();
  }
  const stop = facts.listen((fact) => {
    const line = lineOfFact(fact);
    if (line) append(line);
  });
  return {
    append,
    close() {
      stop();
      writer.close();
    },
  };
}

/** The line of a log line of ingest; the consumer's lines are already complete. */
function lineOfFact({ message, fields }: LogLine): string | undefined {
  const at = String(fields.timestamp);
  const api_id = String(fields.api_id ?? "");
  if (message === "event queued")
    return lineOf({
      history: FORMAT,
      received: { id: String(fields.event_id), api_id, type: String(fields.type), at },
    });
  if (message !== "event refused") return undefined;
  const field = fields.field === undefined ? {} : { field: String(fields.field) };
  const id = `refused-${randomUUID().slice(0, 8)}`;
  const refused = { id, api_id, at, code: String(fields.code), ...field, error: String(fields.error) };
  return lineOf({ history: FORMAT, refused });
}
