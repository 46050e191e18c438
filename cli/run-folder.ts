import { readdir, readFile, realpath, stat } from "node:fs/promises";
import { basename, dirname, join, relative, resolve, sep } from "node:path";
import type { Api } from "../lib/apis/definition.ts";
import { errorText } from "../lib/errors.ts";
import { createListedFor, listed } from "../lib/releases/problems.ts";
import { type ApiFile, namedHandlers, readApis } from "../lib/releases/read-apis.ts";
import {
  CORE_SCRIPT,
  GATEWAY_FILE,
  MODULE_ENDINGS,
  type Problem,
  type SourceFile,
  scriptOf,
} from "../lib/releases/sources.ts";
import type { Script } from "../lib/runtime/protocol.ts";
import { type Folders, foldersText } from "../lib/settings/project.ts";
import { readProject } from "./project.ts";
import { readText, UsageError } from "./terminal/usage.ts";

/** The parts of a folder that a run of one script needs. */
export interface RunFolder {
  dir: string;
  names: Folders;
  /** Its core script, if any, which is loaded before the script. */
  core: Script[];
  apis: ApiFile[];
  definitions: SourceFile[];
  /** The problems of its definitions. */
  problems: Problem[];
}

/** The request of a run. It has at least a script or the name of a handler. */
export interface Asked {
  script: string | undefined;
  handler?: string;
  api?: string;
  /** The event's type. */
  type: string;
}

/**
 * The script and the handler to run; the handler is searched in the script if neither the call nor a definition names
 * it.
 */
export interface Chosen {
  script: string;
  handler: string | undefined;
  api: Api | undefined;
}

/** The named folder, or else the nearest one above the script. */
export async function openRunFolder(
  dir: string | undefined,
  script: string | undefined,
): Promise<RunFolder | undefined> {
  const found =
    dir === undefined
      ? await nearestFolder(script === undefined ? process.cwd() : dirname(resolve(script)))
      : await namedFolder(dir);
  if (!found) return undefined;
  const { apis } = found.names;
  const names = (await ifThere(readdir(join(found.dir, apis)))) ?? [];
  const jsons = names.filter((name) => name.endsWith(".json"));
  const [core, ...definitions] = await Promise.all([
    ...[CORE_SCRIPT, GATEWAY_FILE].map((path) => readIfThere(path, join(found.dir, path))),
    ...jsons.map((name) => readIfThere(`apis/${name}`, join(found.dir, apis, name))),
  ]);
  const files = definitions.filter((file) => file !== undefined);
  return {
    ...found,
    core: core ? [{ path: CORE_SCRIPT, source: core.text }] : [],
    definitions: files,
    ...readApis(files),
  };
}

type Found = Pick<RunFolder, "dir" | "names">;

async function namedFolder(dir: string): Promise<Found> {
  const { folders: names } = await readProject(dir);
  if (await isRunFolder(dir, names)) return { dir, names };
  throw new UsageError(`--dir ${dir}: there is no folder ${foldersText(names, "or")} in it`);
}

async function nearestFolder(start: string): Promise<Found | undefined> {
  let nearest: Found | undefined;
  for (let dir = start; ; dir = dirname(dir)) {
    const { folders: names } = await readProject(dir);
    if (await isRunFolder(dir, names)) {
      nearest ??= { dir, names };
      // A src/ with an apis/ is a part of the folder whose gatehook.json names src/apis.
      const parents = Object.values(names).map((name) => dirname(join(dir, name)));
      if (parents.includes(nearest.dir)) nearest = { dir, names };
    }
    if (dir === dirname(dir)) return nearest;
  }
}

async function isRunFolder(dir: string, { apis, handlers }: Folders): Promise<boolean> {
  const isFolder = async (name: string) =>
    (await stat(join(dir, name)).catch(() => undefined))?.isDirectory() === true;
  return (await isFolder(apis)) || isFolder(handlers);
}

async function readIfThere(path: string, file: string): Promise<SourceFile | undefined> {
  const text = await ifThere(readFile(file, "utf8"));
  return text === undefined ? undefined : { path, text };
}

/** Undefined if it does not exist, or is a folder instead of a file; missing permissions are an error. */
async function ifThere<T>(reading: Promise<T>): Promise<T | undefined> {
  try {
    return await reading;
  } catch (cause) {
    const { code = "" } = cause as NodeJS.ErrnoException;
    if (["ENOENT", "ENOTDIR", "EISDIR"].includes(code)) return undefined;
    throw new UsageError(errorText(cause), { cause });
  }
}

/** Completes the request from the definitions. Throws a UsageError if nothing matches, or if it is ambiguous. */
export async function choose(folder: RunFolder | undefined, asked: Asked): Promise<Chosen> {
  const apis = folder?.apis ?? [];
  const api = asked.api === undefined ? undefined : apiOf(apis, asked.api);
  const named = (api ? [api] : apis).flatMap((each) =>
    namedHandlers(each).map(({ type, ref }) => ({ api: each, type, ...ref })),
  );
  const { script, handler, type } = asked;
  // Handlers of the event's type come first: if one of them matches, the event would run it.
  named.sort((a, b) => Number(b.type === type) - Number(a.type === type));
  if (script === undefined) return byHandler(folder, named, asked);
  const below = folder && (await pathBelow(join(folder.dir, folder.names.handlers), script));
  const path = below && scriptOf(below);
  const ofScript = named.filter((each) => each.path === path);
  const first = ofScript.find(({ name }) => name === handler) ?? ofScript[0];
  const names = ofScript
    .filter((each) => each.type === type && each.api === first?.api)
    .map(({ name }) => name);
  if (handler === undefined && new Set(names).size > 1)
    throw new UsageError(
      `for ${type}, API ${first?.api.api.api_id} names ${listed([...new Set(names)])} in ${script}: choose one with --handler`,
    );
  return { script, handler: handler ?? names[0], api: (api ?? first?.api)?.api };
}

/** The named API; undefined if there are no definitions. */
function apiOf(apis: ApiFile[], id: string): ApiFile | undefined {
  const found = apis.find(({ api }) => api.api_id === id);
  if (found || apis.length === 0) return found;
  const ids = apis.map(({ api }) => api.api_id);
  throw new UsageError(`there is no definition of API ${id}; there is ${createListedFor(ids)(id)}`);
}

interface Named {
  api: ApiFile;
  type: string;
  name: string;
  path: string;
}

function byHandler(folder: RunFolder | undefined, named: Named[], { handler, type }: Asked): Chosen {
  if (handler === undefined)
    throw new UsageError("name the script to run, or with --handler a handler that a definition names");
  if (!folder)
    throw new UsageError(
      `name the script too: there is no apis/ here in which --handler ${handler} is named`,
    );
  const found = named.filter(({ name }) => name === handler);
  const fitting = found.filter((each) => each.type === type);
  const [first, ...others] = fitting.length > 0 ? fitting : found;
  if (!first) {
    const names = [...new Set(named.map(({ name }) => name))];
    const instead = names.length === 0 ? "they name none" : `they name ${createListedFor(names)(handler)}`;
    throw new UsageError(`the definitions name no handler ${handler}; ${instead}`);
  }
  const paths = new Set([first, ...others].map(({ path }) => path));
  if (paths.size > 1)
    throw new UsageError(`handler ${handler} is named in ${listed([...paths])}: name the script, or --api`);
  const script = relative(process.cwd(), join(folder.dir, folder.names.handlers, first.path));
  return { script, handler, api: first.api.api };
}

/** The path of a file in definitions, if it is below the folder; undefined otherwise. */
async function pathBelow(folder: string, file: string): Promise<string | undefined> {
  const real = (path: string) => realpath(path).catch(() => resolve(path));
  const way = relative(await real(folder), join(await real(dirname(file)), basename(file)));
  return way.startsWith("..") ? undefined : way.split(sep).join("/");
}

const MAY_BE_MODULE = /\b(?:import|export|exports|require)\b/;

/** Reads a script; a file in TypeScript or with imports is bundled. */
export async function readScript(asked: string, dir: string | undefined) {
  const path = (await anyOf(asked)) ?? asked;
  const script = { path, source: await readText(path, "script") };
  const asItIs = { script, fault: undefined, atSources: (text: string) => text };
  if (path.endsWith(".js") && !MAY_BE_MODULE.test(script.source)) return asItIs;
  const { makeRunSource } = await import("./run-source.ts");
  const made = await makeRunSource(script, dir ?? dirname(resolve(path)));
  if (!made) return asItIs;
  return { script: { path, source: made.source }, fault: made.fault, atSources: made.atSources };
}

/** Definitions name `foo.js`, even if it is bundled from another file. */
async function anyOf(path: string): Promise<string | undefined> {
  const paths = [path, ...MODULE_ENDINGS.map((ending) => path.replace(/\.js$/, ending))];
  for (const one of new Set(paths)) if (await isFile(one)) return one;
  return undefined;
}

const isFile = async (path: string) => (await stat(path).catch(() => undefined))?.isFile() === true;
