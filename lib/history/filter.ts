import { createNearest } from "../apis/nearest.ts";
import { AppError } from "../errors.ts";
import { type EventRow, ROW_OUTCOMES, SOURCES } from "./event-rows.ts";

/** A condition: a word and its value, or a text to search for. */
export interface Term {
  word: Word | "text";
  value: string;
  /** Whether it has a `-` in front: the condition must be false. */
  not: boolean;
}

/** A parsed filter; `terms` in the order of its text. */
export interface Filter {
  terms: Term[];
  /** In lower case: the arguments of `hasText`. */
  texts: string[];
  /** `hasText`: whether any line of the row's event contains the text. */
  matches(row: EventRow, hasText: (text: string) => boolean): boolean;
}

type Check = (row: EventRow) => boolean;

/** Makes a condition from a value; throws if it is invalid. */
const WORDS = {
  type: same(({ type }) => [type]),
  api: same(({ api_id }) => [api_id]),
  org: same(({ org_id }) => [org_id]),
  key: same(({ key }) => [key]),
  handler: same(({ handlers }) => handlers),
  release: (value) => (row) => value !== "" && row.release.startsWith(value),
  outcome: oneOf(ROW_OUTCOMES, ({ outcome }) => outcome),
  reason: same(({ reason }) => [reason]),
  since: (value, now) => {
    const time = timeOf(value, now);
    return ({ last_at }) => Date.parse(last_at) >= time;
  },
  until: (value, now) => {
    const time = timeOf(value, now);
    return ({ at }) => Date.parse(at) <= time;
  },
  took: compared(aDuration(), ({ ms }) => ms),
  attempt: compared(aNumber(), ({ attempts }) => attempts),
  source: oneOf(SOURCES, ({ source }) => source),
} satisfies Record<string, (value: string, now: number) => Check>;

/** A word that may precede a colon. */
export type Word = keyof typeof WORDS;
/** In the order of messages and completion. */
export const FILTER_WORDS = Object.keys(WORDS) as Word[];
const nearestWord = createNearest(FILTER_WORDS);

/**
 * `type:KeyExpired -outcome:done took:>500ms since:1h "a text"`: all conditions must be true, and those with a `-` must
 * be false. If a word has several values, one of them is enough. Throws `request-invalid` with the invalid word. `now`
 * in ms.
 *
 * @example
 * const filter = parseFilter('handler:quota outcome:failed outcome:dead took:>=1s since:2h "429"', Date.now());
 * rows.filter((row) => filter.matches(row, (text) => row.error.toLowerCase().includes(text)));
 */
export function parseFilter(text: string, now: number): Filter {
  const terms = termsOf(text);
  const groups = new Map<string, ((row: EventRow, hasText: (text: string) => boolean) => boolean)[]>();
  for (const [at, { word, value, not }] of terms.entries()) {
    const check = word === "text" ? undefined : WORDS[word](value, now);
    const small = value.toLowerCase();
    const holds = (row: EventRow, hasText: (text: string) => boolean) =>
      (check ? check(row) : hasText(small)) !== not;
    const group = not || word === "text" || RANGES.has(word) ? `${at}` : word;
    groups.set(group, [...(groups.get(group) ?? []), holds]);
  }
  const all = [...groups.values()];
  return {
    terms,
    texts: terms.flatMap(({ word, value }) => (word === "text" ? [value.toLowerCase()] : [])),
    matches: (row, hasText) => all.every((group) => group.some((holds) => holds(row, hasText))),
  };
}

/** Two conditions on one of these words are the two ends of a range. */
const RANGES: ReadonlySet<string> = new Set<Word>(["since", "until", "took", "attempt"]);

/** The filter text of these terms. */
export const filterText = (terms: Pick<Term, "word" | "value" | "not">[]): string =>
  terms
    .map(
      ({ word, value, not }) =>
        `${not ? "-" : ""}${word === "text" ? quoted(value) : `${word}:${ifOdd(value)}`}`,
    )
    .join(" ");

const quoted = (value: string) => `"${value.replace(/["\\]/g, "\\$&")}"`;
const ifOdd = (value: string) => (/^[^\s"\\]+$/.test(value) ? value : quoted(value));

const TERM = /(-?)(?:([a-z]+):)?(?:"((?:[^"\\]|\\.)*)"|([^\s"]*))/suy;

function termsOf(text: string): Term[] {
  const terms: Term[] = [];
  for (let at = skipSpace(text, 0); at < text.length; at = skipSpace(text, at)) {
    TERM.lastIndex = at;
    const [whole = "", minus, name, inQuotes, plain = ""] = TERM.exec(text) ?? [];
    at += whole.length;
    if (whole === "" || (at < text.length && !/\s/.test(text[at] ?? "")))
      throw invalid(
        `there is a quote without its other half, or without a space beside it: …${text.slice(at, at + 20)}`,
      );
    const value = inQuotes === undefined ? plain : inQuotes.replace(/\\(.)/gs, "$1");
    const word = name === undefined ? "text" : wordOf(name);
    if (value === "") throw invalid(`${whole} has no value`);
    terms.push({ word, value, not: minus === "-" });
  }
  return terms;
}

function skipSpace(text: string, from: number): number {
  const found = text.slice(from).search(/\S/);
  return found < 0 ? text.length : from + found;
}

function wordOf(name: string): Word {
  if (Object.hasOwn(WORDS, name)) return name as Word;
  const near = nearestWord(name);
  throw invalid(
    `there is no word ${name}: ${near ? `did you mean ${near}:? ` : ""}the words are ${FILTER_WORDS.map((word) => `${word}:`).join(" ")}; a text with a colon stands in quotes`,
  );
}

const invalid = (message: string) => new AppError("request-invalid", `the filter: ${message}`);

function same(of: (row: EventRow) => string[]): (value: string) => Check {
  return (value) => (row) => of(row).includes(value);
}

function oneOf<Name extends string>(
  names: readonly Name[],
  of: (row: EventRow) => Name,
): (value: string) => Check {
  return (value) => {
    if (!names.some((name) => name === value)) throw invalid(`${value} is not one of ${names.join(", ")}`);
    return (row) => of(row) === value;
  };
}

interface Measure {
  read(text: string): number | undefined;
  such: string;
}

const COMPARE: Record<string, (a: number, b: number) => boolean> = {
  ">": (a, b) => a > b,
  ">=": (a, b) => a >= b,
  "<": (a, b) => a < b,
  "<=": (a, b) => a <= b,
  "": (a, b) => a === b,
};

/** `>500ms`, `<=2`, `3`. */
function compared({ read, such }: Measure, of: (row: EventRow) => number): (value: string) => Check {
  return (value) => {
    const [, sign = "", rest = ""] = /^([<>]=?)?(.*)$/s.exec(value) ?? [];
    const number = read(rest);
    if (number === undefined) throw invalid(`${value} is not such as ${such}`);
    return (row) => COMPARE[sign]?.(of(row), number) ?? false;
  };
}

function aNumber(): Measure {
  return { read: (text) => (/^\d{1,9}$/.test(text) ? Number(text) : undefined), such: "1 or >2" };
}

function aDuration(): Measure {
  return { read: durationMs, such: ">500ms or <2s" };
}

const UNITS: Record<string, number> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
};

function durationMs(text: string): number | undefined {
  const [, number, unit = ""] = /^(\d{1,9}(?:\.\d{1,3})?)(ms|[smhdw])$/.exec(text) ?? [];
  return number === undefined ? undefined : Number(number) * (UNITS[unit] ?? 1);
}

/** `1h` (ago), or a date or time in UTC: `2026-12-24`, `2026-12-24T18:00:00Z`. */
export function timeOf(value: string, now: number): number {
  const ago = durationMs(value);
  if (ago !== undefined) return now - ago;
  const time = /^\d{4}-\d\d-\d\d(T[\d:.]+Z?)?$/.test(value)
    ? Date.parse(/T.*[^Z]$/.test(value) ? `${value}Z` : value)
    : Number.NaN;
  if (Number.isNaN(time))
    throw invalid(`${value} is not a time such as 30m, 1d, 2026-12-24 or 2026-12-24T18:00:00Z`);
  return time;
}
