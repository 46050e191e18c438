import { AppError } from "../lib/errors.ts";
import {
  FUNCTION_SETTINGS,
  type FunctionSetting,
  type FunctionSettingName,
} from "../lib/settings/function-settings.ts";
import { defaultText, problemWith } from "../lib/settings/setting.ts";

// Readers of the settings in the environment. Each throws `setting-invalid` with the setting, its rule and an example.

/** Such as `process.env`. A text of spaces counts as not set. */
export type Env = Record<string, string | undefined>;
type Settings = typeof FUNCTION_SETTINGS;
type Name<Kind extends FunctionSetting["kind"]> = {
  [Each in FunctionSettingName]: Settings[Each]["kind"] extends Kind ? Each : never;
}[FunctionSettingName];

/** Whether there is a value; not whether it is valid. */
export const isSet = (env: Env, name: FunctionSettingName): boolean => Boolean(env[name]?.trim());

/** The text of a setting, checked; its default where it has one and nothing is set. */
export function text(env: Env, name: Name<"text">): string {
  const setting: FunctionSetting = FUNCTION_SETTINGS[name];
  return given(env, name) ?? (setting.kind === "text" ? setting.default : undefined) ?? required(name);
}

/** A whole number within the setting's bounds. */
export function integer(env: Env, name: Name<"integer">): number {
  return Number(given(env, name) ?? FUNCTION_SETTINGS[name].default);
}

/** `true` or `false`. */
export function flag(env: Env, name: Name<"flag">): boolean {
  return (given(env, name) ?? String(FUNCTION_SETTINGS[name].default)) === "true";
}

/** One of the setting's words; the first one is its default. */
export function choice<Each extends Name<"choice">>(env: Env, name: Each): Settings[Each]["choices"][number] {
  const { choices } = FUNCTION_SETTINGS[name];
  return choices.find((each) => each === given(env, name)) ?? choices[0];
}

/** Separated by commas, without the spaces around them; `[]` if it is not set and has no default. */
export function list(env: Env, name: Name<"list">): string[] {
  return (given(env, name) ?? defaultText(FUNCTION_SETTINGS[name]))
    .split(",")
    .flatMap((item) => item.trim() || []);
}

const SECRET_CHARS = 16;

/**
 * Secrets that are all valid at the same time, so that one can replace another without an interruption. Errors never
 * contain their values.
 */
export function secretList(env: Env, name: "INGEST_TOKEN" | "KEYS_API_SECRET"): string[] {
  const secrets = list(env, name);
  if (secrets.some((secret) => secret.length < SECRET_CHARS))
    throw invalid(name, `has one of fewer than ${SECRET_CHARS} characters`);
  return secrets;
}

/** An http or https URL. Throws if it is not set. */
export const baseUrl = (env: Env, name: Name<"url">): URL => new URL(given(env, name) ?? required(name));

/** A secret that is sent in a header; errors never contain its value. */
export const headerText = (env: Env, name: Name<"secret">): string => given(env, name) ?? required(name);

/** The text of a setting without the spaces around it; undefined if it is not set. */
function given(env: Env, name: FunctionSettingName): string | undefined {
  const value = env[name]?.trim();
  if (!value) return undefined;
  const problem = problemWith(FUNCTION_SETTINGS[name], value);
  if (problem) throw invalid(name, problem);
  return value;
}

function required(name: FunctionSettingName): never {
  throw invalid(name, "is not set");
}

/** The error `setting-invalid`; its message is the setting's name and `problem`. */
export function invalid(name: FunctionSettingName, problem: string): AppError {
  const { what, example } = FUNCTION_SETTINGS[name];
  return new AppError(
    "setting-invalid",
    `environment variable ${name} ${problem}. It is ${what}, for example ${example}`,
  );
}
