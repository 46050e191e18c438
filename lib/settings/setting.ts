import type { Form } from "./forms.ts";

/** The description of every setting. */
interface Described {
  /** A short description, for errors and the docs. */
  what: string;
  /** An example of a value. */
  example: string;
  /** Further text for the docs, in Markdown. */
  note?: string;
}

/** A setting: its kind, its default and its bounds. A text without a default is required. */
export type Setting = Described &
  (
    | { kind: "integer"; default: number; min: number; max: number; unit?: Unit }
    | { kind: "flag"; default: boolean }
    /** The first one is the default. */
    | { kind: "choice"; choices: readonly [string, ...string[]] }
    /** Separated by commas; empty by default. */
    | { kind: "list"; secret?: true; default?: string }
    | { kind: "text"; default?: string; form?: Form }
    /** An http or https address; its value may contain a password, so it is never shown. */
    | { kind: "url" }
    /** Sent in a header, and never shown. */
    | { kind: "secret" }
  );

/** The unit of an integer in messages and docs. */
export type Unit = "ms" | "seconds" | "days" | "bytes" | "characters" | "KiB" | "MiB" | "MB";

/** The default as in an environment variable; empty for a setting without a default. */
export function defaultText(setting: Setting): string {
  if (setting.kind === "choice") return setting.choices[0];
  return "default" in setting ? String(setting.default) : "";
}

/** Whether its value must not be shown, or be in a file. */
export const isSecret = (setting: Setting) =>
  setting.kind === "secret" || (setting.kind === "list" && setting.secret === true);

/** The description of the valid values of a setting. */
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

/** The problem of the text of a setting; undefined if it is valid. An empty text means the default. */
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
