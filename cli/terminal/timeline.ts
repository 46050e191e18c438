import type { HandlerReport } from "../../lib/consumer/outcome.ts";
import type { LogLine } from "../dev/log-lines.ts";
import { shortId } from "../events-rows.ts";
import { countOf } from "./count.ts";
import { linesOf, ownFrames } from "./printable.ts";

/** The lines of a fact in the timeline; empty for facts that are only for machines. */
export function timelineLines({ message, fields }: LogLine): string[] {
  const time = `  ${clock(fields.timestamp)}  `;
  return rowsOf(message, fields).flatMap((text) => {
    const [first, ...more] = linesOf(text);
    return [`${time}${first}`, ...more.map((line) => `${"".padEnd(time.length)}${row("", line)}`)];
  });
}

function rowsOf(message: string, fields: LogLine["fields"]): string[] {
  if (message === "event done") return doneRows(fields);
  const text = lineText(message, fields);
  return text ? [text] : [];
}

function lineText(message: string, fields: Record<string, unknown>): string | undefined {
  const { handler, api_id, type, release, ms } = fields;
  switch (message) {
    case "event queued":
      return row("queued", `${type} for API ${api_id}, event ${fields.event_id}`);
    case "release loaded":
      return row("loaded", `release ${release}, ${countOf(Number(fields.scripts), "script")} in ${ms} ms`);
    case "release refused":
      return row(
        "refused",
        `release ${release}; the old one stays live. gatehook releases ${release} shows why`,
      );
    case "release partly live":
      return row(
        "partly live",
        `release ${release}; gatehook releases ${release} shows what is not, and why`,
      );
    case "script":
      return row("log", `${handler}: ${fields.text}`);
    case "handler failed":
      return row(
        "failed",
        `${handler} (${fields.code}), ${eventText(fields)}: ${ownFrames(String(fields.error))}`,
      );
    case "log handler":
      return row("log", logText(fields));
    case "webhook delivered":
      return row("webhook", `${handler} was taken: ${fields.status} in ${ms} ms, attempt ${fields.attempt}`);
    case "webhook failed":
      return row(
        "retry",
        `${handler}: ${fields.error}, next in about ${Math.round(Number(fields.seconds))} s`,
      );
    case "event left to SQS":
      return row("retry", retryText(fields));
    case "event to the dead letters":
      return row(
        "dead letter",
        `${eventText(fields)} (${fields.reason}): ${firstLine(String(fields.error))}`,
      );
    case "session sent":
      return row("sent", `${fields.operation} to the gateway, which answered ${fields.status}`);
    default:
      return fields.level === "ERROR" || fields.level === "WARN"
        ? row("problem", problem(message, fields))
        : undefined;
  }
}

function logText({ prefix, type, path, coalesced }: LogLine["fields"]): string {
  const { Count } = (coalesced ?? {}) as { Count?: number };
  return `${prefix}: ${[type, path, Count && `(${countOf(Count, "event")})`].filter(Boolean).join(" ")}`;
}

/** The results of handlers that do not run a script. */
const OWN: Record<string, string> = { webhook: "is on the queue", log: "wrote its line" };

const ranText = ({ name, ms }: HandlerReport) =>
  ms === undefined ? `${name} ${OWN[name.split(":")[0] ?? ""] ?? "is done"}` : `${name} ran for ${ms} ms`;

function doneRows({ api_id, type, handlers, counted, done_before, meant }: LogLine["fields"]): string[] {
  const ran = handlers as HandlerReport[];
  const later = (counted ?? []) as string[];
  if (ran.length === 0 && later.length > 0) return [row("counted", `for one run of ${later.join(", ")}`)];
  if (ran.length === 0 && !done_before)
    return [row("no handler", `${api_id} has none for ${type}${meant ? ` (did you mean ${meant}?)` : ""}`)];
  if (ran.length === 0)
    return [row("done before", "its handlers ran for an earlier delivery, and do not run again")];
  return [
    ...ran.filter(({ outcome }) => !outcome).map((one) => row("handler", ranText(one))),
    row("committed", "session and ledger, exactly once"),
  ];
}

function retryText({ event_id, reason, attempt, max_attempts, seconds }: LogLine["fields"]): string {
  const what =
    attempt === undefined
      ? `not done (${reason}), which counts as no attempt`
      : `attempt ${attempt} of ${max_attempts} failed (${reason})`;
  return `${event_id}: ${what}, next in about ${seconds} s`;
}

/** The beginning of its id, by which commands find it, or the id of a queue message that is not an event. */
const eventText = ({ event_id, message_id }: LogLine["fields"]) =>
  event_id === undefined ? `message ${message_id}` : `event ${shortId(String(event_id))}`;

/** The rest is printed with the failure. */
const firstLine = (text: string) => text.split("\n", 1)[0] ?? "";

const problem = (message: string, fields: Record<string, unknown>) =>
  [message, fields.error && `: ${fields.error}`].filter(Boolean).join("");

/** The first word in a column of 12 characters, then the text. */
export const row = (what: string, text: string) => `${what.padEnd(12)}${text}`;

function clock(timestamp: unknown): string {
  const date = new Date(String(timestamp));
  const time = Number.isNaN(date.getTime()) ? new Date() : date;
  return time.toISOString().slice(11, 23);
}
