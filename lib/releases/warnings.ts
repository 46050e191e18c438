import { handledTypes } from "../apis/definition.ts";
import { oddApiEvent, oddGatewayEvent } from "../apis/event-types.ts";
import type { Built } from "./build.ts";
import { firstFew } from "./problems.ts";
import {
  GATEWAY_FILE,
  isModuleFile,
  type Problem,
  type SourceFile,
  scriptFile,
  templateFile,
} from "./sources.ts";

/** Warnings about a release, before scripts are checked. */
export function uploadWarnings(files: SourceFile[], { apis, release, problems, warnings }: Built): Problem[] {
  const scripts = release.scripts.map(({ path }) => scriptFile(path));
  const templates = (release.templates ?? []).map(({ path }) => templateFile(path));
  const used = new Set([...scripts, ...templates, ...problems.map(({ file }) => file)]);
  const odd = Map.groupBy(warnings, ({ file }) => file).values();
  // It is unknown what an unreadable definition names.
  const read = new Set(apis.map(({ file }) => file));
  const isKnown = problems.every(({ file }) => read.has(file) || !file.startsWith("apis/"));
  return [...[...odd].flatMap(firstFew), ...apis.flatMap(oddEvents), ...leftOut(files, used, isKnown)];
}

function oddEvents({ file, api }: Built["apis"][number]): Problem[] {
  const odd = file === GATEWAY_FILE ? oddGatewayEvent : oddApiEvent;
  return firstFew(
    handledTypes(api).flatMap((type) => {
      const message = odd(type);
      return message ? [{ file, message }] : [];
    }),
  );
}

/** One warning for all, since a folder may have thousands. */
function leftOut(files: SourceFile[], used: Set<string>, isKnown: boolean): Problem[] {
  const scripts = files
    .map(({ path }) => path)
    .filter((path) => isKnown && path.startsWith("handlers/") && !isModuleFile(path) && !used.has(path));
  const modules = files.map(({ path }) => path).filter(isModuleFile);
  const templates = files
    .map(({ path }) => path)
    .filter((path) => isKnown && path.startsWith("templates/") && !used.has(path));
  const deep = files.map(({ path }) => path).filter((path) => /^apis\/.+\//.test(path));
  return [
    ...together(
      scripts,
      "no definition names it, so it is not loaded",
      "no definition names them, so they are not loaded",
    ),
    ...together(
      templates,
      "no webhook that gatehook runs names it, so it is not part of the release",
      "no webhook that gatehook runs names them, so they are not part of the release",
    ),
    ...together(
      modules,
      "it is not a script: gatehook push makes one of it, and a copy of the files does not",
      "they are not scripts: gatehook push makes scripts of them, and a copy of the files does not",
    ),
    ...together(
      deep,
      "definitions are read from apis/ itself, not from folders in it",
      "definitions are read from apis/ itself, not from folders in it",
    ),
  ];
}

function together(paths: string[], one: string, many: string): Problem[] {
  const [file, ...others] = paths.sort();
  if (file === undefined) return [];
  if (others.length === 0) return [{ file, message: one }];
  const more = others.length > 2 ? ` and ${others.length} more` : `, ${others.join(", ")}`;
  return [{ file, message: `${file}${more}: ${many}` }];
}
