import { applyEdits, modify, type ParseError, parse } from "jsonc-parser";
import { UsageError } from "./terminal/usage.ts";
import { ownPackage } from "./version.ts";

const SCRIPTS = { start: "gatehook dev", check: "gatehook check", test: "gatehook test && node --test" };

/** Additional dependencies for handlers in TypeScript. */
export interface PackageOptions {
  name: string;
  ts: boolean;
}

/** The text of a package.json with gatehook's entries; existing entries are not changed. */
export async function completedPackage(text: string | undefined, options: PackageOptions): Promise<string> {
  if (text === undefined) return `${JSON.stringify(newPackage(options), undefined, 2)}\n`;
  const errors: ParseError[] = [];
  const found = parse(text, errors) as Partial<Record<string, Record<string, string>>> | undefined;
  if (errors.length > 0 || typeof found !== "object" || found === null || Array.isArray(found))
    throw new UsageError("package.json is not a JSON object: fix it, then run gatehook init again");
  const { scripts, devDependencies, allowScripts = {} } = newPackage(options);
  const missing = Object.entries(devDependencies).filter(([name]) => !found.dependencies?.[name]);
  const wanted = [
    ...membersOf("scripts", scripts),
    ...membersOf("devDependencies", Object.fromEntries(missing)),
    ...membersOf("allowScripts", allowScripts),
  ];
  return wanted
    .filter(([[section = "", member = ""]]) => isFree(found[section]?.[member]))
    .reduce(
      (whole, [path, value]) =>
        applyEdits(whole, modify(whole, path, value, { formattingOptions: formatOf(text) })),
      text,
    );
}

/** The test script of `npm init` counts as missing. */
const NO_TEST = /^echo "Error: no test specified" && exit 1$/;

const isFree = (value: string | undefined) => value === undefined || NO_TEST.test(value);

const membersOf = (section: string, members: object) =>
  Object.entries(members).map(([name, value]): [path: string[], value: unknown] => [[section, name], value]);

/** This version, with the deployer, the bundler and the compiler that it was tested with. */
function newPackage({ name, ts }: PackageOptions) {
  const { version, peerDependencies, devDependencies } = ownPackage();
  const { esbuild, osls } = peerDependencies;
  return {
    name,
    private: true,
    type: "module",
    scripts: { ...SCRIPTS, ...(ts && { types: "tsc" }) },
    devDependencies: {
      gatehook: `^${version}`,
      osls,
      ...(ts && { esbuild, typescript: devDependencies.typescript }),
    },
    // It works without its install script, which npm would warn of.
    ...(ts && { allowScripts: { esbuild: false } }),
  };
}

const formatOf = (text: string) =>
  /^\t/m.test(text)
    ? { insertSpaces: false }
    : { insertSpaces: true, tabSize: /^( +)"/m.exec(text)?.[1]?.length ?? 2 };
