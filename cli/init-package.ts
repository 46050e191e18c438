import { applyEdits, modify, type ParseError, parse } from "jsonc-parser";
import { UsageError } from "./usage.ts";
import { ownPackage } from "./version.ts";

const SCRIPTS = { start: "gatehook dev", check: "gatehook check", test: "node --test" };

/** The text of a package.json with what gatehook needs; of one that is there, what it has stays as it is. */
export async function completedPackage(text: string | undefined, name: string): Promise<string> {
  if (text === undefined) return `${JSON.stringify(newPackage(name), undefined, 2)}\n`;
  const errors: ParseError[] = [];
  const found = parse(text, errors) as Partial<Record<string, Record<string, string>>> | undefined;
  if (errors.length > 0 || typeof found !== "object" || found === null || Array.isArray(found))
    throw new UsageError("package.json is not a JSON object: fix it, then run gatehook init again");
  const wanted: [path: string[], value: string][] = [
    ...Object.entries(SCRIPTS).map(([script, command]): [string[], string] => [["scripts", script], command]),
    ...Object.entries(dependencies())
      .filter(([dependency]) => !found.dependencies?.[dependency])
      .map(([dependency, range]): [string[], string] => [["devDependencies", dependency], range]),
  ];
  return wanted
    .filter(([[section = "", member = ""]]) => found[section]?.[member] === undefined)
    .reduce(
      (whole, [path, value]) =>
        applyEdits(whole, modify(whole, path, value, { formattingOptions: formatOf(text) })),
      text,
    );
}

const newPackage = (name: string) => ({
  name,
  private: true,
  type: "module",
  scripts: SCRIPTS,
  devDependencies: dependencies(),
});

/** This version, and the deployer that it was tried with. */
function dependencies(): Record<string, string> {
  const { version, peerDependencies } = ownPackage();
  return { gatehook: `^${version}`, ...peerDependencies };
}

const formatOf = (text: string) =>
  /^\t/m.test(text)
    ? { insertSpaces: false }
    : { insertSpaces: true, tabSize: /^( +)"/m.exec(text)?.[1]?.length ?? 2 };
