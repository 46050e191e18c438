import { type Api, type Definition, parseDefinitions, parseGateway } from "../apis/definition.ts";
import { AppError, errorText } from "../errors.ts";
import { jsonMistake } from "../json-mistake.ts";
import { classicOf } from "../releases/read-apis.ts";
import { CORE_SCRIPT, GATEWAY_FILE, type Problem, type SourceFile, scriptFile } from "../releases/sources.ts";
import { editClassic } from "./classic.ts";
import { carriedScripts } from "./oas.ts";
import { restored } from "./triggers.ts";
import { gatewayFile, type TykConf } from "./tyk-conf.ts";

/** The files of a gateway's folder that concern event handlers. */
export interface GatewayFolder {
  /** Its files of definitions, by their names in the folder. */
  apps: SourceFile[];
  conf?: TykConf;
  /** A script by a handler's path, or the core script by its own; undefined for a file that does not exist. */
  readScript(path: string): Promise<string | undefined>;
}

/** A file of definitions with its content. */
export interface AppFile extends SourceFile {
  definitions: Definition[];
  /** The text of the definitions, with the members that the gateway has removed from it. */
  whole: string;
  /** If there is a classic file, its OpenAPI document is ignored: the gateway takes handlers from the classic file. */
  isCompanion: boolean;
}

/** A gateway's files, and the same as a gatehook project. */
export interface Gathered {
  apps: AppFile[];
  project: SourceFile[];
  /** Problems that the gateway has too, and those of gatehook alone. */
  problems: Problem[];
}

/** Reads all definitions and their scripts. */
export async function gather({ apps, conf, readScript }: GatewayFolder): Promise<Gathered> {
  const problems: Problem[] = [];
  const companions = new Map(apps.map((file) => [classicOf(file.path), file.text]));
  const names = new Set(apps.map(({ path }) => path));
  const read = apps.map((file) => readApp(file, { names, companions }, problems));
  const counting = read.filter(({ isCompanion }) => !isCompanion);
  const own = conf ? [{ path: GATEWAY_FILE, text: gatewayFile(conf) }] : [];
  const definitions = [
    ...counting.flatMap((file) => file.definitions),
    ...own.map(({ path, text }) => parseGateway(path, text)),
  ];
  const scripts = await Promise.all(
    [...new Set(definitions.flatMap(pathsIn))].map(async (path) =>
      asFile(scriptFile(path), await readScript(path)),
    ),
  );
  const core = conf?.coreScript ? asFile(CORE_SCRIPT, await readScript(conf.coreScript)) : [];
  const project = [...counting.flatMap(asProject), ...own, ...scripts.flat(), ...core];
  return { apps: read, project, problems };
}

const asFile = (path: string, text: string | undefined): SourceFile[] =>
  text === undefined ? [] : [{ path, text }];

interface Others {
  names: Set<string>;
  /** The OpenAPI documents, by their classic files. */
  companions: Map<string | undefined, string>;
}

function readApp(file: SourceFile, { names, companions }: Others, problems: Problem[]): AppFile {
  const classic = classicOf(file.path);
  const isCompanion = classic !== undefined && names.has(classic);
  const whole = withCarried(file.text, companions.get(file.path));
  const found = parsed({ path: file.path, text: whole });
  if (!isCompanion) problems.push(...found.problems);
  return { ...file, whole, definitions: found.definitions, isCompanion };
}

function withCarried(text: string, companion: string | undefined): string {
  const carried = companion === undefined ? undefined : carriedScripts(companion);
  return carried?.size ? editClassic(text, { path: [] }, restored(carried)) : text;
}

function parsed({ path, text }: SourceFile): { definitions: Definition[]; problems: Problem[] } {
  try {
    const definitions = parseDefinitions(path, text);
    const problems = definitions.flatMap(({ error, apiId }) =>
      error ? [{ file: path, message: error.message, apis: apiId ? [apiId] : [] }] : [],
    );
    return { definitions, problems };
  } catch (thrown) {
    if (!(thrown instanceof AppError)) throw thrown;
    return {
      definitions: [],
      problems: [{ file: path, message: errorText(thrown), ...jsonMistake(text), apis: [] }],
    };
  }
}

const pathsIn = ({ api }: Definition) =>
  Object.values(api?.handlers ?? {}).flatMap((refs) => refs.map(({ path }) => path));

/** Reduced to the members that gatehook uses, since a gateway's definition may contain secrets. */
function asProject({ path, definitions }: AppFile): SourceFile[] {
  const found = definitions.flatMap(({ api }) => (api ? [definitionOf(api)] : []));
  const value = found.length === 1 && definitions.length === 1 ? found[0] : found;
  return found.length === 0
    ? []
    : [{ path: `apis/${path}`, text: `${JSON.stringify(value, undefined, 2)}\n` }];
}

function definitionOf({ handlers, ...api }: Api) {
  const events = Object.entries(handlers).map(([type, refs]) => [
    type,
    refs.map(({ name, path }) => ({ handler_name: "eh_dynamic_handler", handler_meta: { name, path } })),
  ]);
  return { ...api, event_handlers: { events: Object.fromEntries(events) } };
}
