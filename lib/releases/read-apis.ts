import {
  type Api,
  type Definition,
  GATEWAY_API,
  parseCarried,
  parseDefinitions,
  parseGateway,
  type Reading,
} from "../apis/definition.ts";
import type { HandlerRef } from "../apis/handler-ref.ts";
import { AppError, errorText } from "../errors.ts";
import { jsonMistake } from "../json-mistake.ts";
import { listed } from "./problems.ts";
import { GATEWAY_FILE, type Problem, type SourceFile, tooLarge } from "./sources.ts";

/** An API, and the file that defines it. */
export interface ApiFile {
  file: string;
  api: Api;
}

/** The definitions of an upload, with their errors and warnings. */
export interface ReadApis {
  /** In the order of the files, and in each file in its order. */
  apis: ApiFile[];
  problems: Problem[];
  warnings: Problem[];
}

const API_FILE = /^apis\/[^/]+\.json$/;
/** The OpenAPI document that a gateway writes beside the classic form of the same definition. */
const COMPANION = /-(?:oas|mcp)\.json$/;

/** The file that is used instead of this one, if it exists; undefined if the name is not that of a companion. */
export const classicOf = (path: string): string | undefined =>
  COMPANION.test(path) ? path.replace(COMPANION, ".json") : undefined;

/** Reads the definitions among the files. If a classic file has an OAS companion, the classic one is used. */
export function readApis(files: SourceFile[], how: Reading = {}): ReadApis {
  const read: ReadApis = { apis: [], problems: [], warnings: [] };
  const definitions = new Map(
    [...files]
      .filter(({ path }) => API_FILE.test(path) || path === GATEWAY_FILE)
      .sort((a, b) => (a.path < b.path ? -1 : 1))
      .map((file) => [file.path, file]),
  );
  for (const file of definitions.values()) {
    const classic = classicOf(file.path);
    if (classic === undefined || !definitions.has(classic)) readFile(file, how, read);
  }
  for (const file of definitions.values()) {
    const classic = classicOf(file.path);
    if (classic === undefined || !definitions.has(classic)) continue;
    addCarried(file, classic, read.apis);
    read.warnings.push(...companionWarnings(file, classic, read.apis));
  }
  return { ...read, apis: withoutTwins(read.apis, read.problems) };
}

function readFile(file: SourceFile, how: Reading, { apis, problems, warnings }: ReadApis): void {
  const { path, text } = file;
  const large = tooLarge(file);
  if (large) {
    problems.push({ ...large, apis: [] });
    return;
  }
  try {
    const definitions =
      path === GATEWAY_FILE ? [parseGateway(path, text, how)] : parseDefinitions(path, text, how);
    for (const { api, apiId, error, warnings: odd } of definitions) {
      if (api) apis.push({ file: path, api });
      if (error) problems.push({ file: path, message: error.message, apis: apiId ? [apiId] : [] });
      warnings.push(...odd.map((message) => ({ file: path, message })));
    }
  } catch (thrown) {
    if (!(thrown instanceof AppError)) throw thrown;
    // A file with a secret must not be used even in part, so that the user notices it and removes it.
    const kept = thrown.code === "definition-secret" ? {} : { apis: [] };
    problems.push({ file: path, message: errorText(thrown), ...jsonMistake(text), ...kept });
  }
}

/** When the gateway makes a classic file from its document, it drops the scripts that our webhooks list. */
function addCarried(companion: SourceFile, classic: string, apis: ApiFile[]): void {
  const [{ api } = {}, ...others] = apis.filter(({ file }) => file === classic);
  if (!api || others.length > 0) return;
  const carried = carriedOf(companion);
  api.handlers = joined(api.handlers, carried.handlers, (ref, others) =>
    others.some(({ name, path }) => name === ref.name && path === ref.path),
  );
  const own = joined(api.own ?? {}, carried.own ?? {}, ({ entry }, others) =>
    others.some((other) => other.entry === entry),
  );
  if (Object.keys(own).length > 0) api.own = own;
}

type Lists<T> = Record<string, T[]>;

/** For each event type, the entries of the first, then those of the second that the first does not have. */
function joined<T>(first: Lists<T>, second: Lists<T>, isIn: (one: T, others: T[]) => boolean): Lists<T> {
  const listFor = (lists: Lists<T>, type: string) => (Object.hasOwn(lists, type) && lists[type]) || [];
  const types = new Set([...Object.keys(first), ...Object.keys(second)]);
  const all = [...types].map((type) => {
    const known = listFor(first, type);
    return [type, [...known, ...listFor(second, type).filter((one) => !isIn(one, known))]];
  });
  return Object.fromEntries(all);
}

/** Empty if the document is invalid: the gateway ignores that, so it is not reported here. */
function carriedOf({ path, text }: SourceFile): Pick<Api, "handlers" | "own"> {
  try {
    return parseCarried(path, text);
  } catch (thrown) {
    if (thrown instanceof AppError) return { handlers: {} };
    throw thrown;
  }
}

/** The gateway takes handlers only from the classic file: handlers that are only in the companion never run. */
function companionWarnings(companion: SourceFile, classic: string, apis: ApiFile[]): Problem[] {
  const named = new Set(
    apis
      .filter(({ file }) => file === classic)
      .flatMap(namedHandlers)
      .map(keyOf),
  );
  const own = definitionsOf(companion).flatMap(({ api }) =>
    api ? namedHandlers({ file: companion.path, api }) : [],
  );
  const alone = own.filter((one) => !named.has(keyOf(one))).map(({ type, ref }) => `${ref.name} for ${type}`);
  if (alone.length === 0) return [];
  const message = `it names ${listed(alone)}, which ${classic} does not: handlers count from there, as in the gateway`;
  return [{ file: companion.path, message }];
}

/** Empty for an invalid file, as above. */
function definitionsOf({ path, text }: SourceFile): Definition[] {
  try {
    return parseDefinitions(path, text);
  } catch (thrown) {
    if (thrown instanceof AppError) return [];
    throw thrown;
  }
}

const keyOf = ({ type, ref }: NamedHandler) => `${type} ${ref.name} ${ref.path}`;

/** If two APIs have the same id, the handlers of one would never run; it is unknown which file is wrong. */
function withoutTwins(apis: ApiFile[], problems: Problem[]): ApiFile[] {
  const byId = Map.groupBy(apis, ({ api }) => api.api_id);
  for (const [id, group] of byId) {
    if (group.length === 1) continue;
    const files = [...new Set(group.map(({ file }) => file))];
    for (const file of files) {
      const others =
        files.length > 1 ? listed(files.filter((other) => other !== file)) : "another in this file";
      problems.push({ file, message: twinMessage(id, file, others), apis: [id] });
    }
  }
  return [...byId.values()].flatMap(([first]) => first ?? []);
}

function twinMessage(id: string, file: string, others: string): string {
  const fix =
    id === GATEWAY_API && file !== GATEWAY_FILE
      ? `that id is kept for ${GATEWAY_FILE}: give this API another`
      : "events could not tell them apart: remove one of them, or give one another id";
  return `its api_id "${id}" is that of ${others} too; ${fix}`;
}

/** A position in a definition that names a handler. */
export interface NamedHandler {
  file: string;
  type: string;
  ref: HandlerRef;
  apiId: string;
}

/** All handlers of a definition, in the order in which they are loaded. */
export function namedHandlers({ file, api }: ApiFile): NamedHandler[] {
  return Object.entries(api.handlers).flatMap(([type, refs]) =>
    refs.map((ref) => ({ file, type, ref, apiId: api.api_id })),
  );
}

/** The ids of the APIs that name each script. */
export function usersOf(apis: ApiFile[]): Map<string, string[]> {
  const users = new Map<string, Set<string>>();
  for (const { ref, apiId } of apis.flatMap(namedHandlers))
    users.set(ref.path, (users.get(ref.path) ?? new Set()).add(apiId));
  return new Map([...users].map(([path, ids]) => [path, [...ids]]));
}

/** A webhook of a definition that names a template. */
export interface NamedTemplate {
  file: string;
  type: string;
  path: string;
  apiId: string;
}

/** The webhooks of a definition that have a template. */
export function namedTemplates({ file, api }: ApiFile): NamedTemplate[] {
  return Object.entries(api.own ?? {}).flatMap(([type, handlers]) =>
    handlers.flatMap((handler) =>
      handler.kind === "webhook" && handler.template
        ? [{ file, type, path: handler.template, apiId: api.api_id }]
        : [],
    ),
  );
}
