// npm run docs: writes the parts of the docs that are generated. test/settings/docs.test.ts,
// test/deploy/docs-pages.test.ts and test/deploy/licences.test.ts fail when they are out of date.
import { readFileSync, writeFileSync } from "node:fs";
import { settingsTables } from "../lib/settings/docs.ts";
import { endBuilder, ROOT } from "./build.ts";
import { ARCHITECTURE_FILE, architectureSvg } from "./docs-architecture.ts";
import { pagesInOrder, withFooter } from "./docs-pages.ts";
import { checkLicences, LICENCES_FILE, licencesText, shippedPackages } from "./licences.ts";

const FILE = `${ROOT}docs/settings.md`;

/** The text of docs/settings.md with the tables generated from the source. */
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

if (import.meta.main) {
  writeFileSync(FILE, settingsDocs());
  for (const name of pagesInOrder()) {
    const page = `${ROOT}docs/${name}`;
    writeFileSync(page, withFooter(name, readFileSync(page, "utf8")));
  }
  writeFileSync(ARCHITECTURE_FILE, architectureSvg());
  const packages = await shippedPackages();
  checkLicences(packages);
  writeFileSync(LICENCES_FILE, licencesText(packages));
  await endBuilder();
}
