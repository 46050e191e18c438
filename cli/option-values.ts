import { type Command, InvalidArgumentError, Option } from "commander";

/** Parsers of option values; an error says what the value must be. */
export function wholeNumber(min: number, max: number): (text: string) => number {
  return (text) => {
    const number = Number(text);
    if (text.trim() !== "" && Number.isInteger(number) && number >= min && number <= max) return number;
    throw new InvalidArgumentError(`It must be a whole number from ${min} to ${max}.`);
  };
}

const HOST =
  /^(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*|\[[0-9a-f:.]+\])(?::\d{1,5})?$/i;
const MAX_HOST_CHARS = 255;

/** A name or an address, with any port or a specific one. */
export function hostName(text: string, before: string[]): string[] {
  if (text.length <= MAX_HOST_CHARS && HOST.test(text)) return [...before, text];
  throw new InvalidArgumentError(
    "It must be a host's name or address as in a URL, such as host.docker.internal, gatehook:3000 or [::1]: " +
      "no scheme, path or wildcard.",
  );
}

/** `20`, `20/s` or `0.5/s`. */
export function perSecond(min: number, max: number): (text: string) => number {
  return (text) => {
    const number = Number(/^(\d+(?:\.\d+)?)(?:\/s)?$/.exec(text.trim())?.[1] ?? Number.NaN);
    if (number >= min && number <= max) return number;
    throw new InvalidArgumentError(`It must be a number per second from ${min} to ${max}, such as 20/s.`);
  };
}

const UNITS: Record<string, number> = { s: 1, m: 60, h: 3_600, d: 86_400, w: 604_800 };

/** A time, in unix seconds: `now`, `+7d`, `-12h`, a date or time in UTC (`2026-12-24`), or unix seconds. */
export function unixTime(text: string): number {
  const now = Math.floor(Date.now() / 1000);
  const [, sign, count, unit] = /^([+-])(\d{1,9})([smhdw])$/.exec(text.trim()) ?? [];
  if (sign && count && unit) return now + (sign === "-" ? -1 : 1) * Number(count) * (UNITS[unit] ?? 0);
  if (text.trim() === "now") return now;
  if (/^\d{1,16}$/.test(text.trim())) return Number(text);
  const ms = /^\d{4}-\d\d-\d\d/.test(text.trim()) ? Date.parse(asUtc(text.trim())) : Number.NaN;
  if (!Number.isNaN(ms)) return Math.floor(ms / 1000);
  throw new InvalidArgumentError(
    "It must be a time: now, +7d, -12h, 2026-12-24, 2026-12-24T18:00:00Z or unix seconds.",
  );
}

/** A time without a zone would be interpreted in the machine's time zone. */
const asUtc = (text: string) => (/T.*\d$/.test(text) && !/[+-]\d\d:?\d\d$/.test(text) ? `${text}Z` : text);

/** Adds the options of a command that reaches a stack. Before it runs, its environment is set to that of the stack. */
export function reaching(command: Command): Command {
  return command
    .option("--local", "the stack of gatehook dev in this folder, even if the environment names another")
    .option("--stage <name>", "a deployed stage of this folder's gatehook.json")
    .option("--region <name>", "with --stage: by default the stage's in gatehook.json, or AWS_REGION");
}

/** The option `--yes` of the commands that write to a stage. */
export const yes = () => new Option("--yes", "do not ask, also for prod, production and live");

/** `KEY=FILE`, added to earlier values. */
export function keyAndFile(text: string, before: Record<string, string>): Record<string, string> {
  const [, key, file] = /^(.+)=(.+)$/s.exec(text) ?? [];
  if (!key || !file) throw new InvalidArgumentError("It has the form KEY=FILE.");
  return { ...before, [key]: file };
}

/** `NAME=value`, added to earlier values. */
export function nameAndValue(text: string, before: Record<string, string>): Record<string, string> {
  const [, name, value] = /^([^=]+)=(.*)$/s.exec(text) ?? [];
  if (!name || value === undefined) throw new InvalidArgumentError("It has the form NAME=value.");
  return { ...before, [name.trim()]: value };
}

/** An option that may be given several times; `parse` gets the earlier values too. */
export const repeatable = <Values extends object>(
  flags: string,
  what: string,
  parse: (text: string, before: Values) => Values,
  none: Values,
) => new Option(flags, `${what}; repeatable`).argParser(parse).default(none, "none");

/** Any text, appended to earlier values. */
export const collect = (text: string, before: string[]) => [...before, text];

/** The option `--dir` of the commands that work on a folder. */
export const folder = () => new Option("--dir <folder>", "the folder with apis/ and handlers/").default(".");

/** The option `--json` of the commands that print more on standard error. */
export const JSON_OPTION = ["--json", "print one JSON object and nothing else on standard output"] as const;
