import { chooser, createGroups, type LetterGroup } from "../../lib/dead-letters/groups.ts";
import type { Letter, LetterFacts } from "../../lib/dead-letters/letter.ts";
import { readLetters } from "../../lib/dead-letters/sweep.ts";
import { TASK_ATTRIBUTE, VERDICT_ATTRIBUTES } from "../../lib/queue/attributes.ts";
import {
  type DeadLetterOptions,
  isWhole,
  notFound,
  openQueue,
  tellRest,
  withSweep,
} from "../dead-letters.ts";
import { countOf } from "../terminal/count.ts";
import { lineWidth, wrapped } from "../terminal/layout.ts";
import { print, printJson } from "../terminal/print.ts";
import { linesOf, ownFrames } from "../terminal/printable.ts";

/** `body` also shows the messages, which may contain personal data. */
export interface ShowOptions extends DeadLetterOptions {
  /** The maximum number of letters to print, the newest ones. */
  limit: number;
  body?: boolean;
}

/** One letter as printed; with the body only if requested. */
interface Shown extends LetterFacts {
  /** The attributes from its publisher. */
  attributes: Record<string, string>;
  body?: string;
}

/** `gatehook dlq show`: shows the details of the letters of a group or of an event. */
export async function dlqShow(target: string, options: ShowOptions): Promise<void> {
  const open = await openQueue("DEAD_LETTERS_QUEUE_URL");
  const chosen = chooser(target);
  const groups = createGroups();
  let newest: Shown[] = [];
  const found = await withSweep(open, options, (queue, sweepOptions) =>
    readLetters(queue, sweepOptions, (facts, letter) => {
      if (!chosen(facts)) return;
      groups.add(facts);
      newest = [...newest, shownOf(facts, letter, options)]
        .sort((a, b) => (a.sent_at < b.sent_at ? 1 : -1))
        .slice(0, options.limit);
    }),
  );
  tellRest(open, found, options.max);
  if (found.end === "stopped") process.exitCode = 1;
  const list = groups.list();
  if (list.length === 0) throw notFound(target, found.read);
  if (options.json) printJson({ complete: isWhole(open, found), groups: list, letters: newest });
  else print(...list.flatMap(headOf), ...newest.flatMap(letterLines), ...restOf(list, newest));
}

function shownOf(facts: LetterFacts, letter: Letter, { body }: ShowOptions): Shown {
  const others = Object.entries(letter.attributes).filter(([name]) => !TOLD.has(name));
  const attributes = others.map(([name, { StringValue, BinaryValue }]) => [
    name,
    StringValue ?? `${BinaryValue?.byteLength ?? 0} bytes`,
  ]);
  return { ...facts, attributes: Object.fromEntries(attributes), ...(body && { body: letter.body }) };
}

/** Attributes that the letter's facts already have. */
const TOLD = new Set<string>([...VERDICT_ATTRIBUTES, TASK_ATTRIBUTE, "event_id", "api_id"]);

function headOf({ group, count, oldest, newest }: LetterGroup): string[] {
  const when = oldest === newest ? `, of ${oldest}` : ` from ${oldest} to ${newest}`;
  return wrapped(`group ${group}: ${countOf(count, "dead letter")}${when}`, lineWidth(), "  ");
}

function letterLines(letter: Shown): string[] {
  const { type = "an event that cannot be read", api_id, receives, handler, release } = letter;
  return [
    "",
    `event ${letter.event_id}`,
    ...row("is", api_id === undefined ? type : `${type} for API ${api_id}`),
    ...row("came", letter.sent_at + (receives === undefined ? "" : `, at receive ${receives}`)),
    ...row("message", letter.message_id),
    ...row("reason", letter.reason),
    ...row("handler", handler),
    ...row("release", release),
    ...row("error", letter.error && ownFrames(letter.error)),
    ...row("answer", letter.answer),
    ...Object.entries(letter.attributes).flatMap(([name, value]) => row("with", `${name}: ${value}`)),
    ...row("body", letter.body),
  ];
}

const NAME = 10;

/** A name and its text, with further lines of the text below the first. */
function row(name: string, text: string | undefined): string[] {
  if (!text) return [];
  const margin = " ".repeat(2 + NAME);
  return linesOf(text).flatMap((line, at) =>
    wrapped(`  ${(at === 0 ? name : "").padEnd(NAME)}${line}`, lineWidth(), margin),
  );
}

function restOf(groups: LetterGroup[], shown: Shown[]): string[] {
  const rest = groups.reduce((sum, { count }) => sum + count, 0) - shown.length;
  return rest > 0 ? ["", `${rest} more, older ones: --limit shows them`] : [];
}
