import { GoTime } from "./value.ts";

const RFC3339 = /^(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(?:\.(\d+))?(?:Z|([+-]\d\d:\d\d))$/;

/** The time in a JSON text as Go decodes it; undefined if it is not valid. */
export function timeOf(text: string): GoTime | undefined {
  const [, date, time, fraction = "", offset = ""] = RFC3339.exec(text) ?? [];
  if (date === undefined || time === undefined || !isDate(date) || !isClock(time)) return undefined;
  return new GoTime(date, time, fraction.slice(0, 9).replace(/0+$/, ""), offset);
}

/** Seconds are enough. */
export const rfc3339 = ({ date, time, offset }: GoTime): string => `${date}T${time}${offset || "Z"}`;

/** Reads an event's TimeStamp as time.Parse does: there may be several spaces, and the hour may have one digit. */
const STAMP = new RegExp(
  [
    /^(?<date>\d{4}-\d\d-\d\d) +(?<hour>\d\d?):(?<rest>\d\d:\d\d)(?:[.,]\d+)? +/,
    /(?<sign>[+-])(?<offset>\d{4}) +/,
    // A zone's name: three to five capitals, the longer ones with a T at the end, or an offset, of two digits at least.
    /(?:UTC|ChST|MeST|(?:GMT[+-]|[+-](?=\d\d))0*(?:2[0-3]|1?\d)|GMT|WITA|(?!UTC|GMT)(?:[A-Z]{3}|[A-Z]{3,4}T))$/,
  ]
    .map(({ source }) => source)
    .join(""),
);

/** `2026-01-02T03:04:05+02:00` for an event's TimeStamp; other texts are returned unchanged. */
export function rfc3339OfStamp(stamp: string): string {
  const { date = "", hour = "", rest = "", sign, offset = "" } = STAMP.exec(stamp)?.groups ?? {};
  const time = `${hour.padStart(2, "0")}:${rest}`;
  const [hours, minutes] = [Number(offset.slice(0, 2)), Number(offset.slice(2))];
  if (!isDate(date) || !isClock(time) || hours > 24 || minutes > 60) return stamp;
  const all = hours * 60 + minutes;
  // If the zone is UTC by name, Go ignores the offset.
  if (all === 0 || / UTC$/.test(stamp)) return `${date}T${time}Z`;
  return `${date}T${time}${sign}${two(Math.floor(all / 60))}:${two(all % 60)}`;
}

const two = (number: number) => String(number).padStart(2, "0");

const isClock = (time: string) => /^(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d$/.test(time);

function isDate(date: string): boolean {
  const [year = 0, month = 0, day = 0] = date.split("-").map(Number);
  const days = month === 2 && isLeap(year) ? 29 : (DAYS[month - 1] ?? 0);
  return day >= 1 && day <= days;
}

const DAYS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
const isLeap = (year: number) => year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
