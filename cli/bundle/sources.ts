import { readFileSync } from "node:fs";
import { realpath } from "node:fs/promises";
import { join } from "node:path";
import { isModule } from "../../lib/releases/modules.ts";
import { listed } from "../../lib/releases/problems.ts";
import { readApis, usersOf } from "../../lib/releases/read-apis.ts";
import {
  isDeclaration,
  isModuleFile,
  MODULE_ENDINGS,
  type Problem,
  SOURCE_FOLDERS,
  type SourceFile,
  scriptOf,
} from "../../lib/releases/sources.ts";
import { bucketPath, type Folders, placeIn } from "../../lib/settings/project.ts";
import { readSourceFiles } from "../../local/files.ts";
import { type Making, makeScripts } from "./make.ts";
import { isInFolder, seenFrom } from "./paths.ts";
import { createPlaces, type Made, type Places } from "./places.ts";

/** A folder's files for upload, and their source files. */
export interface Sources extends Pick<Making, "unmade" | "inputs" | "problems" | "warnings"> {
  /** A script that could not be bundled has an empty text. */
  files: SourceFile[];
  places: Places;
  /** The text of a file by its name in messages. */
  textOf(file: string): string | undefined;
}

const HANDLERS = "handlers/";
const ENDINGS = { ...SOURCE_FOLDERS, [HANDLERS]: [...SOURCE_FOLDERS[HANDLERS], ...MODULE_ENDINGS] };

/**
 * Reads a folder. Scripts without imports are not changed. Each other file that a definition names is bundled with its
 * imports into one script with a source map. Throws as `readSourceFiles` does, or `release-invalid` without a bundler.
 */
export async function readSources(folder: string, names: Folders): Promise<Sources> {
  const found = (await readSourceFiles(folder, names, ENDINGS)).filter(({ path }) => !isDeclaration(path));
  const root = await realpath(folder);
  const fileOf = (name: string) => join(root, placeIn(names, name));
  const nameOf = (file: string) => bucketPath(names, seenFrom(root, file));
  const texts = new Map(found.map(({ path, text }) => [path, text]));

  const { modules = [], others = [] } = Object.groupBy(found, (file) =>
    isToMake(file) ? "modules" : "others",
  );
  const named = modules.length > 0 ? usersOf(readApis(found).apis) : new Map();
  const isNamed = ({ path }: SourceFile) => named.has(scriptOf(path).slice(HANDLERS.length));
  const inputs = await Promise.all(
    modules.filter(isNamed).map(async ({ path: source, text }) => {
      const path = scriptOf(source).slice(HANDLERS.length);
      return { path, out: path, file: await realpath(fileOf(source)), source, text };
    }),
  );
  const making = await makeScripts(inputs, { root, nameOf });
  const imported = new Set(making.inputs.map(nameOf));
  // A script chooses the places in its errors: they must not show other files of the user.
  const isShown = (file: string) => isInFolder(root, file) || making.inputs.includes(file);
  const isHelper = (file: SourceFile) =>
    file.path.startsWith(HANDLERS) && imported.has(file.path) && !isNamed(file);
  const idle = modules.filter((file) => !isNamed(file) && !isHelper(file));
  return {
    ...making,
    files: [...others.filter((file) => !isHelper(file)), ...making.made.flatMap(filesOf)].sort(byPath),
    problems: [...twinProblems(found.filter(isNamed)), ...making.problems],
    // The imports of a script that could not be bundled are unknown.
    warnings: [...making.warnings, ...(making.unmade.size === 0 ? idleWarning(idle) : [])],
    places: createPlaces(making.made),
    textOf: (file) => texts.get(file) ?? (isShown(fileOf(file)) ? textAt(fileOf(file)) : undefined),
  };
}

const isToMake = ({ path, text }: SourceFile) =>
  isModuleFile(path) || (path.startsWith(HANDLERS) && isModule(text));

const byPath = (a: SourceFile, b: SourceFile) => (a.path < b.path ? -1 : 1);

const filesOf = ({ path, script, map }: Made): SourceFile[] => [
  { path: `${HANDLERS}${path}`, text: script },
  { path: `${HANDLERS}${path}.map`, text: map },
];

/** The text of a file in a message, such as a helper; undefined if it cannot be read. */
function textAt(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}

/** A definition cannot distinguish two such files. */
function twinProblems(named: SourceFile[]): Problem[] {
  const groups = Map.groupBy(named, ({ path }) => scriptOf(path));
  return [...groups].flatMap(([script, files]) => {
    const paths = files.map(({ path }) => path);
    const [file = "", ...others] = paths;
    if (others.length === 0) return [];
    const message = `${script} is made of this file and of ${listed(others)}: remove or rename all but one`;
    return [{ file, message }];
  });
}

/** One warning for all unused files. */
function idleWarning(idle: SourceFile[]): Problem[] {
  const paths = idle.map(({ path }) => path);
  const [file] = paths;
  if (file === undefined) return [];
  const names = paths.length > 1 ? `${listed(paths)}: ` : "";
  return [
    { file, message: `${names}no definition names it as ${scriptOf(file)}, and no handler imports it` },
  ];
}
