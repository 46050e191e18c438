import type { Form } from "./forms.ts";

/** What every setting says of itself. */
interface Described {
  /** What it is, for the error that names it and for the docs. */
  what: string;
  /** Of a value. */
  example: string;
  /** What the docs say beside that, in Markdown. */
  note?: string;
}

/** A setting: its kind, its default and its bounds. A text without a default has to be given. */
export type Setting = Described &
  (
    | { kind: "integer"; default: number; min: number; max: number; unit?: Unit }
    | { kind: "flag"; default: boolean }
    /** The first one is the default. */
    | { kind: "choice"; choices: readonly [string, ...string[]] }
    /** Separated by commas; empty by default. */
    | { kind: "list"; secret?: true; default?: string }
    | { kind: "text"; default?: string; form?: Form }
    /** An http or https address; its value may hold a password, so it is never shown. */
    | { kind: "url" }
    /** Travels in a header, and is never shown. */
    | { kind: "secret" }
  );

/** What an integer counts, as messages and docs name it. */
export type Unit = "ms" | "seconds" | "days" | "bytes" | "characters" | "KiB" | "MiB" | "MB";

/** The default as an environment variable would have it; empty for a setting without one. */
export function defaultText(setting: Setting): string {
  if (setting.kind === "choice") return setting.choices[0];
  return "default" in setting ? String(setting.default) : "";
}

/** Its value is shown nowhere, and stands in no file. */
export const isSecret = (setting: Setting) =>
  setting.kind === "secret" || (setting.kind === "list" && setting.secret === true);

/** What a setting takes, in words. */
function takes(setting: Setting): string {
  switch (setting.kind) {
    case "integer":
      return `a whole number from ${setting.min} to ${setting.max}`;
    case "flag":
      return "true or false";
    case "choice":
      return setting.choices.join(" or ");
    case "list":
      return "a list with commas";
    case "url":
      return "an http or https URL without user, query and fragment";
    case "secret":
      return "visible ASCII characters";
    case "text":
      return setting.form?.rule ?? "text";
  }
}

/** What is wrong with the text of a setting; undefined when nothing is. An empty text stands for the default. */
export function problemWith(setting: Setting, value: string): string | undefined {
  const text = value.trim();
  if (!text) return undefined;
  switch (setting.kind) {
    case "integer":
      return isWholeNumber(text, setting) ? undefined : `is "${text}", but must be ${takes(setting)}`;
    case "flag":
      return text === "true" || text === "false" ? undefined : `is "${text}", but must be ${takes(setting)}`;
    case "choice":
      return setting.choices.includes(text) ? undefined : `is "${text}", but must be ${takes(setting)}`;
    case "url":
      return isBaseUrl(text) ? undefined : `must be ${takes(setting)}`;
    case "secret":
      return /^[\x21-\x7e]+$/.test(text) ? undefined : "has characters other than visible ASCII ones";
    case "text":
      return !setting.form || setting.form.pattern.test(text)
        ? undefined
        : `is "${text}", but must be ${takes(setting)}`;
    case "list":
      return undefined;
  }
}

function isWholeNumber(text: string, { min, max }: { min: number; max: number }): boolean {
  const number = Number(text);
  return Number.isInteger(number) && number >= min && number <= max;
}

function isBaseUrl(text: string): boolean {
  const url = URL.parse(text);
  return Boolean(
    url && /^https?:$/.test(url.protocol) && !url.username && !url.password && !url.search && !url.hash,
  );
}
