import { createGroups, type LetterGroup } from "../lib/dead-letters/groups.ts";
import { readLetters } from "../lib/dead-letters/sweep.ts";
import { countOf } from "./count.ts";
import { type DeadLetterOptions, isWhole, openQueue, tellRest, withSweep } from "./dead-letters.ts";
import { print, printJson } from "./print.ts";
import { cut, printable } from "./printable.ts";

/** `gatehook dlq ls`: the dead letters by what went wrong; never what is in them. */
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
  else if (list.length === 0) print("there is no dead letter");
  else print(...tableOf(list));
  tellRest(open, found, options.max);
  if (!options.json && list.length > 0)
    print(
      `${complete ? "" : "at least "}${countOf(found.read, "dead letter")} in ${countOf(list.length, "group")}; gatehook dlq show GROUP tells more`,
    );
}

const HEAD = ["GROUP", "COUNT", "REASON", "HANDLER", "OLDEST", "NEWEST"];
/** So that a row has at most 100 characters. */
const CELL = 21;
const HANDLER_CELL = 16;
const LINE = 100;
const MARGIN = " ".repeat(10);

function tableOf(groups: LetterGroup[]): string[] {
  const rows = groups.map(rowOf);
  const widths = HEAD.map((name, column) =>
    Math.max(name.length, ...rows.map((row) => row[column]?.length ?? 0)),
  );
  const line = (row: string[]) =>
    row
      .map((cell, column) =>
        column === 1 ? cell.padStart(widths[1] ?? 0) : cell.padEnd(widths[column] ?? 0),
      )
      .join("  ")
      .trimEnd();
  return [line(HEAD), ...groups.flatMap((group, at) => [line(rows[at] ?? []), ...detailsOf(group)])];
}

function rowOf({ group, count, reason, handler = "", oldest, newest }: LetterGroup): string[] {
  const cells = [cut(printable(reason), CELL), cut(printable(handler), HANDLER_CELL)];
  return [group, String(count), ...cells, time(oldest), time(newest)];
}

function detailsOf({ error, place, api_ids, event_id }: LetterGroup): string[] {
  const [api, ...others] = api_ids;
  const more = others.length > 0 ? ` and ${others.length} more` : "";
  const of = api === undefined ? "" : ` of API ${api}${more}`;
  return [[error, place && `at ${place}`].filter(Boolean).join(", "), `such as event ${event_id}${of}`]
    .filter(Boolean)
    .map((text) => cut(`${MARGIN}${printable(text)}`, LINE));
}

const time = (iso: string) => iso.replace(/\.\d+Z$/, "Z");
