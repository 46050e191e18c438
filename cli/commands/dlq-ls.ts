import { createGroups, type LetterGroup } from "../../lib/dead-letters/groups.ts";
import { readLetters } from "../../lib/dead-letters/sweep.ts";
import { type DeadLetterOptions, isWhole, openQueue, tellRest, withSweep } from "../dead-letters.ts";
import { countOf } from "../terminal/count.ts";
import { type Column, cut, lineWidth, type Row, table, utcTime } from "../terminal/layout.ts";
import { print, printJson, printText } from "../terminal/print.ts";

/** `gatehook dlq ls`: lists the dead letters by their errors, without their content. */
export async function dlqLs(options: DeadLetterOptions): Promise<void> {
  const open = await openQueue("DEAD_LETTERS_QUEUE_URL");
  const groups = createGroups();
  const found = await withSweep(open, options, (queue, sweepOptions) =>
    readLetters(queue, sweepOptions, (facts) => groups.add(facts)),
  );
  const list = groups.list();
  if (found.end === "stopped") process.exitCode = 1;
  const complete = isWhole(open, found);
  if (options.json) printJson({ read: found.read, complete, groups: list });
  else if (list.length === 0) printText("there is no dead letter");
  else print(...table(COLUMNS, list.map(rowOf), lineWidth()));
  tellRest(open, found, options.max);
  if (!options.json && list.length > 0)
    printText(
      `${complete ? "" : "at least "}${countOf(found.read, "dead letter")} in ${countOf(list.length, "group")}; gatehook dlq show GROUP shows more`,
    );
}

const COLUMNS: Column[] = [
  { head: "GROUP" },
  { head: "COUNT", align: "right" },
  { head: "REASON" },
  { head: "HANDLER", least: 12 },
  { head: "NEWEST (UTC)" },
];

/** The sender of a message determines its length. */
const ERROR_CHARS = 300;

function rowOf(letters: LetterGroup): Row {
  const { group, count, reason, handler = "", error, place, api_ids, event_id, oldest, newest } = letters;
  const [api, ...others] = api_ids;
  const more = others.length > 0 ? ` and ${others.length} more` : "";
  const since = oldest === newest ? "" : `since ${utcTime(oldest)}, `;
  return {
    cells: [group, String(count), cut(reason, ERROR_CHARS), cut(handler, ERROR_CHARS), utcTime(newest)],
    details: [
      [cut(error, ERROR_CHARS), place && `at ${cut(place, ERROR_CHARS)}`].filter(Boolean).join(", "),
      `${since}such as event ${event_id}${api === undefined ? "" : ` of API ${api}${more}`}`,
    ].filter(Boolean),
  };
}
