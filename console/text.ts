import { printable } from "../cli/terminal/printable.ts";

/**
 * A text that others wrote, on one line: invisible characters and those that change the direction are shown as `\u…`.
 */
export const shown = printable;

/** The same, but keeps line breaks and tabs. */
export const shownLines = (text: string) =>
  text
    .split(/\r?\n/)
    .map((line) => line.split("\t").map(printable).join("\t"))
    .join("\n");

/** The local time, with milliseconds. */
export function clock(iso: string): string {
  const date = new Date(iso);
  if (Number.isNaN(date.getTime())) return shown(iso);
  const part = (number: number, digits = 2) => String(number).padStart(digits, "0");
  return `${part(date.getHours())}:${part(date.getMinutes())}:${part(date.getSeconds())}.${part(date.getMilliseconds(), 3)}`;
}

/** With the day, if it is not today. */
export function dayClock(iso: string): string {
  const date = new Date(iso);
  if (Number.isNaN(date.getTime())) return shown(iso);
  const isToday = date.toDateString() === new Date().toDateString();
  return isToday ? clock(iso).slice(0, 8) : `${date.toLocaleDateString()} ${clock(iso).slice(0, 5)}`;
}

/** For a tooltip. */
export const utc = (iso: string) => `${iso.replace("T", " ").replace("Z", "")} UTC`;

const STEPS: [number, string][] = [
  [86_400, "d"],
  [3_600, "h"],
  [60, "min"],
  [1, "s"],
];

/** `in 16 min`, `3 d ago`, from a number of seconds. */
export function fromNow(seconds: number): string {
  const size = Math.abs(seconds);
  const [unit, name] = STEPS.find(([unit]) => size >= unit) ?? [1, "s"];
  const text = `${Math.round(size / unit)} ${name}`;
  return seconds >= 0 ? `in ${text}` : `${text} ago`;
}

export const count = (number: number) => number.toLocaleString("en-US");
export const countOf = (number: number, what: string) => `${count(number)} ${what}${number === 1 ? "" : "s"}`;
export const share = (part: number, whole: number) =>
  whole === 0 ? "–" : `${((100 * part) / whole).toFixed(1)} %`;

/** A word of a POSIX shell. */
export const quoted = (text: string) =>
  /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;

/** The JSON of a value; `not there` for a missing one. */
export function valueText(value: unknown): string {
  return value === undefined ? "not there" : shown(JSON.stringify(value));
}

/** The difference of two numbers, such as `+1,000`. For a time in unix seconds, also how far from now it is. */
export function moved(name: string, before: unknown, after: unknown): string {
  if (typeof before !== "number" || typeof after !== "number") return "";
  const by = after - before;
  const isTime =
    /expires|_at$|last_|renews|date/.test(name) && after > 1_000_000_000 && after < 10_000_000_000;
  const sign = by > 0 ? "+" : "";
  if (!isTime) return `${sign}${count(by)}`;
  return `${sign}${count(by)} s, now ${fromNow(after - Date.now() / 1_000)}`;
}

/** The last writer of a session; "" if unknown. For an ARN, the name at its end. */
export function changerText({
  handler,
  by,
  who,
}: {
  handler?: string;
  by?: string;
  who?: string;
} = {}): string {
  if (by === undefined) return handler ?? "";
  const name = who?.split("/").at(-1);
  return name ? `${name} (${by})` : by;
}

export const HOUR = 3_600;
export const unixNow = () => Math.floor(Date.now() / 1_000);

/** When a session ends, by its `expires`. */
export const endText = (expires: unknown) =>
  typeof expires !== "number" || expires <= 0
    ? "never"
    : `${expires < unixNow() ? "ended" : "ends"} ${fromNow(expires - unixNow())}`;
