import { type Api, GATEWAY_API, type HandlerRef, parseDefinition, parseGateway } from "../apis/definition.ts";
import { createNearest } from "../apis/nearest.ts";
import { AppError, errorText } from "../errors.ts";
import { jsonMistake } from "../json-mistake.ts";
import type { Script } from "../runtime/protocol.ts";
import { createHintAllowance } from "./problems.ts";
import type { Release } from "./release.ts";
import { CORE_SCRIPT, GATEWAY_FILE, type Problem, type SourceFile, tooLarge } from "./sources.ts";

/** A release with what keeps it from going live. */
export interface Built {
  release: Release;
  /** Where each API was read from, in the release's order. */
  apis: ApiFile[];
  problems: Problem[];
}

export interface ApiFile {
  file: string;
  api: Api;
}

const API_FILE = /^apis\/[^/]+\.json$/;
const SCRIPT_FILE = /^handlers\/(.+\.js)$/;

/** Puts the uploaded files together; the order of the files given does not matter. */
export function buildRelease(files: SourceFile[]): Built {
  const sorted = byPath(files);
  const { apis, problems } = readApis(sorted);
  const sources = new Map(sorted.flatMap((file) => scriptEntry(file)));
  const core = sorted.filter(({ path }) => path === CORE_SCRIPT).flatMap((file) => asScript(file, problems));
  const scripts = [...core, ...scriptsInLoadOrder(apis, sources, problems)];
  return { release: { format: 1, apis: apis.map(({ api }) => api), scripts }, apis, problems };
}

/** The definitions among the files. */
export function readApis(files: SourceFile[]): Pick<Built, "apis" | "problems"> {
  const problems: Problem[] = [];
  const read = byPath(files).filter(({ path }) => API_FILE.test(path) || path === GATEWAY_FILE);
  const apis = withoutTwins(
    read.flatMap((file) => readApi(file, problems)),
    problems,
  );
  return { apis, problems };
}

const byPath = (files: SourceFile[]) => [...files].sort((a, b) => (a.path < b.path ? -1 : 1));

function readApi(file: SourceFile, problems: Problem[]): ApiFile[] {
  const { path, text } = file;
  const large = tooLarge(file);
  if (large) {
    problems.push(large);
    return [];
  }
  try {
    const parse = path === GATEWAY_FILE ? parseGateway : parseDefinition;
    return [{ file: path, api: parse(path, text) }];
  } catch (thrown) {
    if (!(thrown instanceof AppError)) throw thrown;
    problems.push({ file: path, message: errorText(thrown), ...jsonMistake(text) });
    return [];
  }
}

/** Of two APIs of one id the handlers of one would never run. */
function withoutTwins(apis: ApiFile[], problems: Problem[]): ApiFile[] {
  const owners = new Map<string, string>();
  return apis.filter(({ file, api }) => {
    const owner = owners.get(api.api_id);
    if (owner === undefined) {
      owners.set(api.api_id, file);
      return true;
    }
    const fix =
      api.api_id === GATEWAY_API && file === GATEWAY_FILE
        ? `that id is kept for ${GATEWAY_FILE}: give the API of ${owner} another id, or remove ${file}`
        : `events could not tell the two apart: remove one of the files, or give one another id`;
    problems.push({ file, message: `its api_id "${api.api_id}" is that of ${owner} too; ${fix}` });
    return false;
  });
}

function scriptEntry(file: SourceFile): [string, SourceFile][] {
  const script = SCRIPT_FILE.exec(file.path)?.[1];
  return script ? [[script, file]] : [];
}

function asScript(file: SourceFile, problems: Problem[], path = file.path): Script[] {
  const large = tooLarge(file);
  if (large) problems.push(large);
  return large ? [] : [{ path, source: file.text }];
}

/** By API file, then event in the definition, then place in its list; a file that several name loads once, first. */
function scriptsInLoadOrder(
  apis: ApiFile[],
  sources: Map<string, SourceFile>,
  problems: Problem[],
): Script[] {
  const scripts = new Map<string, Script[]>();
  const hintFor = createHints(sources);
  for (const { file, type, ref } of apis.flatMap(namedHandlers)) {
    const source = sources.get(ref.path);
    if (!source) problems.push({ file, message: missing(type, ref, hintFor(ref.path)) });
    else if (!scripts.has(ref.path)) scripts.set(ref.path, asScript(source, problems, ref.path));
  }
  return [...scripts.values()].flat();
}

/** Every place of a definition that names a handler, in the order in which they are loaded. */
export function namedHandlers({ file, api }: ApiFile): { file: string; type: string; ref: HandlerRef }[] {
  return Object.entries(api.handlers).flatMap(([type, refs]) => refs.map((ref) => ({ file, type, ref })));
}

const missing = (type: string, { name, path }: HandlerRef, hint: string) =>
  `${type} names handler ${name} in ${path}, but there is no handlers/${path}${hint}; upload it, or fix the path`;

/** What a path that leads nowhere was meant to be, in brackets; "" when nothing is like it. */
function createHints(sources: Map<string, SourceFile>): (path: string) => string {
  const hints = new Map<string, string>();
  const allowance = createHintAllowance();
  const nearest = createNearest(sources.keys());
  // In another folder: the gateway's paths often start with one of its own.
  const byName = Map.groupBy(sources.keys(), nameOf);
  return (path) => {
    const known = hints.get(path);
    if (known !== undefined) return known;
    const near = nearest(path, allowance) ?? byName.get(nameOf(path))?.[0];
    const hint = near === undefined ? "" : ` (there is handlers/${near}${otherLetters(path, near)})`;
    hints.set(path, hint);
    return hint;
  };
}

const nameOf = (path: string) => path.slice(path.lastIndexOf("/") + 1);

const otherLetters = (path: string, near: string) =>
  near.normalize("NFC") === path.normalize("NFC") ? ", whose letters are written with other code points" : "";
