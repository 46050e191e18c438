import { readFileSync } from "node:fs";
import { findPackageJSON } from "node:module";

/** The version of the package that this file belongs to, wherever in it the file is. */
export function packageVersion(): string {
  const file = findPackageJSON(import.meta.url);
  if (file === undefined) throw new Error("gatehook's package.json is not there: install it again");
  return (JSON.parse(readFileSync(file, "utf8")) as { version: string }).version;
}
