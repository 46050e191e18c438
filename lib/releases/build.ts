import type { Reading } from "../apis/definition.ts";
import type { HandlerRef } from "../apis/handler-ref.ts";
import { createNearest } from "../apis/nearest.ts";
import type { Script } from "../runtime/protocol.ts";
import { createHintAllowance } from "./problems.ts";
import { type ApiFile, namedHandlers, readApis, usersOf } from "./read-apis.ts";
import type { Release } from "./release.ts";
import { CORE_SCRIPT, isModuleFile, type Problem, type SourceFile, scriptOf, tooLarge } from "./sources.ts";
import { usedTemplates } from "./templates.ts";

/** A release with its errors, and the warnings about its definitions. */
export interface Built {
  release: Release;
  /** The source of each API, in the release's order. */
  apis: ApiFile[];
  problems: Problem[];
  warnings: Problem[];
}

const SCRIPT_FILE = /^handlers\/(.+\.js)$/;

/** Builds a release from the uploaded files; their order does not matter. */
export function buildRelease(files: SourceFile[], how: Reading = {}): Built {
  const { apis, problems, warnings } = readApis(files, how);
  const sources = new Map(files.flatMap((file) => scriptEntry(file)));
  const core = files.filter(({ path }) => path === CORE_SCRIPT).flatMap((file) => asScript(file, problems));
  const modules = new Map(
    files
      .map(({ path }) => path)
      .filter(isModuleFile)
      .map((path) => [scriptOf(path), path]),
  );
  const scripts = [...core, ...scriptsInLoadOrder(apis, { sources, modules }, problems)];
  const templates = usedTemplates(files, apis);
  problems.push(...templates.problems);
  const release = {
    format: 1 as const,
    apis: apis.map(({ file, api }) => ({ ...api, file })),
    scripts,
    ...(templates.used.length > 0 && { templates: templates.used }),
  };
  return { release, apis, problems, warnings: [...warnings, ...templates.warnings] };
}

function scriptEntry(file: SourceFile): [string, SourceFile][] {
  const script = SCRIPT_FILE.exec(file.path)?.[1];
  return script ? [[script, file]] : [];
}

/** `users`: the APIs that name it; by default all of them. */
function asScript(file: SourceFile, problems: Problem[], path = file.path, users?: string[]): Script[] {
  const large = tooLarge(file);
  if (large) problems.push({ ...large, ...(users && { apis: users }) });
  return large ? [] : [{ path, source: file.text }];
}

interface Uploaded {
  /** The scripts, by their paths in handlers/. */
  sources: Map<string, SourceFile>;
  /** Files that should have been bundled before the upload, by the script that would have been made. */
  modules: Map<string, string>;
}

/**
 * By API file, then event in the definition, then position in its list; a file is loaded once, where it is named first.
 */
function scriptsInLoadOrder(apis: ApiFile[], { sources, modules }: Uploaded, problems: Problem[]): Script[] {
  const scripts = new Map<string, Script[]>();
  const users = usersOf(apis);
  const hintFor = createHints({ sources, modules });
  for (const { file, type, ref, apiId } of apis.flatMap(namedHandlers)) {
    const source = sources.get(ref.path);
    if (!source) problems.push({ file, message: missing(type, ref, hintFor(ref.path)), apis: [apiId] });
    else if (!scripts.has(ref.path))
      scripts.set(ref.path, asScript(source, problems, ref.path, users.get(ref.path) ?? []));
  }
  return [...scripts.values()].flat();
}

const missing = (type: string, { name, path }: HandlerRef, hint: string) =>
  `${type} names handler ${name} in ${path}, but there is no handlers/${path}${hint}; upload it, or fix the path`;

/** The file that a wrong path may mean, in brackets; "" if no file is similar. */
function createHints({ sources, modules }: Uploaded): (path: string) => string {
  const hints = new Map<string, string>();
  const allowance = createHintAllowance();
  const nearest = createNearest(sources.keys());
  // In another folder, since the gateway's paths often start with one of its folders.
  const byName = Map.groupBy(sources.keys(), nameOf);
  return (path) => {
    const known = hints.get(path);
    if (known !== undefined) return known;
    const module = modules.get(`handlers/${path}`);
    if (module) return ` (there is ${module}, from which gatehook push makes it)`;
    const near = nearest(path, allowance) ?? byName.get(nameOf(path))?.[0];
    const hint = near === undefined ? "" : ` (there is handlers/${near}${otherLetters(path, near)})`;
    hints.set(path, hint);
    return hint;
  };
}

const nameOf = (path: string) => path.slice(path.lastIndexOf("/") + 1);

const otherLetters = (path: string, near: string) =>
  near.normalize("NFC") === path.normalize("NFC") ? ", whose letters are written with other code points" : "";
