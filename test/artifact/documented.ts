import { readFileSync } from "node:fs";
import { ROOT } from "../../deploy/build.ts";

/** A setting as docs/settings.md has it. */
export interface Setting {
  name: string;
  functions: string[];
  /** Undefined where it has to be set. */
  fallback: string | undefined;
}

export function documentedSettings(): Setting[] {
  const rows = readFileSync(`${ROOT}docs/settings.md`, "utf8").matchAll(
    /^\| `([A-Z_]+)` \| ([a-z, -]+) \| ([^|]+) \|/gm,
  );
  return [...rows].map(([, name = "", functions = "", fallback = ""]) => ({
    name,
    functions: functions.split(", "),
    fallback: fallback.startsWith("required") ? undefined : fallback.replace(/ \(.*/, ""),
  }));
}

export const settingsOf = (functionName: string): Setting[] =>
  documentedSettings().filter(({ functions }) => functions.includes(functionName));
