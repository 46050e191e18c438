// npm run docs: writes what of the docs comes from the source. test/settings-docs.test.ts holds both together.
import { readFileSync, writeFileSync } from "node:fs";
import { settingsTables } from "../lib/settings/docs.ts";
import { ROOT } from "./build.ts";

const FILE = `${ROOT}docs/settings.md`;

/** The text of docs/settings.md with the tables as the source has them. */
export function settingsDocs(): string {
  const { functions, deployment } = settingsTables();
  return between(between(readFileSync(FILE, "utf8"), "functions", functions), "deployment", deployment);
}

function between(text: string, name: string, table: string): string {
  const marks = [`<!-- ${name} -->`, `<!-- end of ${name} -->`] as const;
  const [from, to] = [text.indexOf(marks[0]), text.indexOf(marks[1])];
  if (from < 0 || to < from) throw new Error(`${FILE} has no ${marks.join(" … ")}`);
  return `${text.slice(0, from + marks[0].length)}\n\n${table}\n\n${text.slice(to)}`;
}

if (import.meta.main) writeFileSync(FILE, settingsDocs());
