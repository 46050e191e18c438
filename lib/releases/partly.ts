import type { Candidate, Check } from "./examine.ts";
import { namedHandlers, namedTemplates } from "./read-apis.ts";
import { type Release, type ReleasedApi, sealRelease } from "./release.ts";
import { CORE_SCRIPT, isDefinition, type Problem, scriptFile, templateFile } from "./sources.ts";

/** The part of an upload with errors that can go live. */
export interface Partly {
  candidate: Candidate;
  /** The ids of the APIs that keep their live state. */
  kept: string[];
  /** The ids of APIs that were never live, or their files if the id is unknown. */
  leftOut: string[];
  /** All errors. */
  errors: Problem[];
  /** The warnings about the part that can go live. */
  warnings: Problem[];
}

/** A release that is live. */
export interface Live {
  version: string;
  release: Release;
}

/** Each round finds further APIs that cannot go live, so few uploads need more than one. */
const ROUNDS = 4;

/**
 * Combines the valid APIs of an upload with the live state of the others, and checks that the result loads. Undefined
 * if an error affects the whole release, or nothing is left.
 */
export async function examinePartly(
  upload: Candidate,
  live: Live | undefined,
  errors: Problem[],
  check: Check,
): Promise<Partly | undefined> {
  let known = errors;
  for (let round = 1; round <= ROUNDS; round += 1) {
    const mixed = mix(upload, live?.release, known);
    if (!mixed) return undefined;
    // The live release was checked when it was built.
    const isLive = mixed.candidate.version === live?.version;
    const found = isLive ? { errors: [], warnings: [] } : await check(mixed.candidate);
    if (found.errors.length === 0)
      return { ...mixed, errors: known, warnings: [...mixed.warnings, ...found.warnings] };
    known = [...known, ...found.errors];
  }
  return undefined;
}

function mix(
  upload: Candidate,
  live: Release | undefined,
  errors: Problem[],
): Omit<Partly, "errors"> | undefined {
  const faulty = faultyIn(errors);
  // Releases of earlier versions do not have the file of an API.
  const isUnknown = faulty?.nameless.length && live?.apis.some(({ file }) => file === undefined);
  if (!faulty || isUnknown) return undefined;
  const { kept, fresh, sharing } = divide(upload.release, live, faulty);
  const release = join({ apis: kept, of: live }, { apis: fresh, of: upload.release });
  if (release.apis.length === 0) return undefined;
  const apis = release.apis.map((api) => ({ file: api.file ?? "", api }));
  const files = new Set([...kept.values()].map(({ file }) => file));
  const absent = [...faulty.ids, ...sharing.map(({ id }) => id)].filter((id) => !kept.has(id));
  return {
    candidate: { release, apis, ...sealRelease(release), errors: [], warnings: [] },
    kept: [...kept.keys()].sort(),
    leftOut: [...new Set([...absent, ...faulty.nameless.filter((file) => !files.has(file))])].sort(),
    warnings: sharing.map(({ file, id, path, holder }) => ({
      file,
      message:
        `API ${id} stays as it is too: it shares ${path}, which has changed, with API ${holder}, and a ` +
        `${isTemplate(path) ? "template" : "script"} is either the old or the new one for all`,
    })),
  };
}

interface Faulty {
  ids: Set<string>;
  /** Definition files with errors: the APIs that they defined before are at fault too. */
  files: Set<string>;
  /** Those of them with an error in an API whose id is unknown. */
  nameless: string[];
}

/** Undefined if an error affects the whole release. */
function faultyIn(errors: Problem[]): Faulty | undefined {
  if (errors.some(({ apis }) => !apis)) return undefined;
  const inDefinitions = errors.filter(({ file }) => isDefinition(file));
  return {
    ids: new Set(errors.flatMap(({ apis = [] }) => apis)),
    files: new Set(inDefinitions.map(({ file }) => file)),
    nameless: inDefinitions.filter(({ apis }) => apis?.length === 0).map(({ file }) => file),
  };
}

type ById = Map<string, ReleasedApi>;

interface Division {
  kept: ById;
  fresh: ById;
  /** APIs that cannot go live because they share a changed script with `holder`, which keeps its live state. */
  sharing: { id: string; file: string; path: string; holder: string }[];
}

/** The APIs that keep their live state, and the APIs that are taken from the upload. */
function divide(upload: Release, live: Release | undefined, faulty: Faulty): Division {
  const before = byId(live);
  const fresh = byId(upload);
  for (const id of faulty.ids) fresh.delete(id);
  const isAtFault = ({ api_id, file }: ReleasedApi) =>
    faulty.ids.has(api_id) || (file !== undefined && faulty.files.has(file) && !fresh.has(api_id));
  const kept = new Map([...before].filter(([, api]) => isAtFault(api)));
  const changed = changedFiles(upload, live);
  const users = Map.groupBy(
    [...fresh.values()].flatMap((api) => filesOf(api).map((path) => ({ api, path }))),
    ({ path }) => path,
  );
  const sharing: Division["sharing"] = [];
  // A map's iterator also visits entries that are added during the loop.
  for (const [holder, api] of kept) {
    for (const path of filesOf(api).filter((each) => changed.has(each))) {
      for (const { api: other } of users.get(path) ?? []) {
        const { api_id: id, file = "" } = other;
        if (!fresh.delete(id)) continue;
        sharing.push({ id, file, path, holder });
        const old = before.get(id);
        if (old) kept.set(id, old);
      }
    }
  }
  return { kept, fresh, sharing };
}

interface Side {
  apis: ById;
  of: Release | undefined;
}

/** In the order of the files, as every release. A script that both sides name is equal on both. */
function join(kept: Side, fresh: Side): Release {
  const apis = [...kept.apis.values(), ...fresh.apis.values()].sort((a, b) => {
    const [left = "", right = ""] = [a.file, b.file];
    return left < right ? -1 : Number(left > right);
  });
  const files = new Set([CORE_SCRIPT, ...apis.flatMap(filesOf)]);
  const ofKept = new Set([...kept.apis.values()].flatMap(filesOf));
  const texts = { kept: textsOf(kept.of), fresh: textsOf(fresh.of) };
  const found = [...files].flatMap((file) => {
    const text = (ofKept.has(file) ? texts.kept : texts.fresh).get(file);
    return text === undefined ? [] : [{ file, text }];
  });
  const scripts = found.filter(({ file }) => !isTemplate(file));
  const templates = found.filter(({ file }) => isTemplate(file)).sort((a, b) => (a.file < b.file ? -1 : 1));
  return {
    format: 1,
    apis,
    scripts: scripts.map(({ file, text }) => ({ path: file.replace(/^handlers\//, ""), source: text })),
    ...(templates.length > 0 && {
      templates: templates.map(({ file, text }) => ({ path: file.slice(TEMPLATES.length), text })),
    }),
  };
}

const TEMPLATES = "templates/";
const isTemplate = (file: string) => file.startsWith(TEMPLATES);

const byId = (release: Release | undefined): ById => new Map(release?.apis.map((api) => [api.api_id, api]));

/** By the names of the uploaded files. */
const textsOf = (release: Release | undefined) =>
  new Map([
    ...(release?.scripts.map(({ path, source }) => [scriptFile(path), source] as const) ?? []),
    ...(release?.templates?.map(({ path, text }) => [templateFile(path), text] as const) ?? []),
  ]);

function changedFiles(upload: Release, live: Release | undefined): Set<string> {
  const [before, after] = [textsOf(live), textsOf(upload)];
  return new Set([...before.keys(), ...after.keys()].filter((file) => before.get(file) !== after.get(file)));
}

/** The scripts that the API must be loaded with; every API uses the core script. */
const filesOf = (api: ReleasedApi): string[] => [
  CORE_SCRIPT,
  ...new Set(namedHandlers({ file: "", api }).map(({ ref }) => scriptFile(ref.path))),
  ...new Set(namedTemplates({ file: "", api }).map(({ path }) => templateFile(path))),
];
