import { oddApiEvent, oddGatewayEvent } from "../apis/event-types.ts";
import { type Built, namedHandlers } from "./build.ts";
import { oldIdioms } from "./idioms.ts";
import { type Definition, definedHandlers } from "./script-text.ts";
import { CORE_SCRIPT, GATEWAY_FILE, type Problem, type SourceFile } from "./sources.ts";

/** What does not keep a release from going live, but is worth knowing. */
export function warningsOf(files: SourceFile[], built: Built): Problem[] {
  const scripts = built.release.scripts.map(({ path, source }) => ({
    file: scriptFile(path),
    source,
    defined: definedHandlers(source),
  }));
  return [
    ...built.apis.flatMap(oddEvents),
    ...collisions(scripts, built),
    ...neverNamed(scripts, built),
    ...scripts.flatMap(({ file, source }) => oldIdioms(file, source)),
    ...leftOut(
      files,
      new Set([...scripts.map(({ file }) => file), ...built.problems.map(({ file }) => file)]),
    ),
  ];
}

export const scriptFile = (path: string) => (path === CORE_SCRIPT ? path : `handlers/${path}`);

interface LoadedScript {
  file: string;
  source: string;
  defined: Definition[];
}

function oddEvents({ file, api }: Built["apis"][number]): Problem[] {
  const odd = file === GATEWAY_FILE ? oddGatewayEvent : oddApiEvent;
  return Object.keys(api.handlers).flatMap((type) => {
    const message = odd(type);
    return message ? [{ file, message }] : [];
  });
}

interface Place {
  file: string;
  line: number;
}

/** All scripts share one global environment: the last that defines a name has it, for every API. */
function collisions(scripts: LoadedScript[], built: Built): Problem[] {
  const places = new Map<string, Place[]>();
  for (const { file, defined } of scripts) {
    for (const { name, line } of defined) places.set(name, [...(places.get(name) ?? []), { file, line }]);
  }
  return [...places].flatMap(([name, found]) => {
    const winner = found.at(-1);
    const losers = found
      .filter(({ file }) => file !== winner?.file)
      .map(({ file, line }) => `${file}:${line}`);
    const users = usersOf(name, built);
    if (!winner || losers.length === 0 || users.length === 0) return [];
    const message =
      `${name} is defined in ${[...new Set(losers)].join(" and ")} too; this file is loaded last, so its ` +
      `${name} runs for all that name it: ${users.join(", ")}. Give one of them another name`;
    return [{ ...winner, message }];
  });
}

function usersOf(name: string, { apis }: Built): string[] {
  return apis.flatMap((apiFile) => {
    const names = namedHandlers(apiFile).some(({ ref }) => ref.name === name);
    return names ? [`API ${apiFile.api.api_id} (${apiFile.file})`] : [];
  });
}

function neverNamed(scripts: LoadedScript[], { apis }: Built): Problem[] {
  const named = new Set(apis.flatMap(namedHandlers).map(({ ref }) => ref.name));
  return scripts.flatMap(({ file, defined }) =>
    defined
      .filter(({ name }) => !named.has(name))
      .map(({ name, line }) => ({
        file,
        line,
        message: `no definition names handler ${name}, so it never runs: name it for an event, or remove it`,
      })),
  );
}

/** One warning for all, since a folder may hold thousands. */
function leftOut(files: SourceFile[], used: Set<string>): Problem[] {
  const scripts = files
    .map(({ path }) => path)
    .filter((path) => path.startsWith("handlers/") && !used.has(path));
  const deep = files.map(({ path }) => path).filter((path) => /^apis\/.+\//.test(path));
  return [
    ...together(
      scripts,
      "no definition names it, so it is not loaded",
      "no definition names them, so they are not loaded",
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
