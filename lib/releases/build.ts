import { type Api, parseDefinition } from "../apis/definition.ts";
import { AppError, errorText } from "../errors.ts";
import type { Script } from "../runtime/protocol.ts";
import type { Release } from "./release.ts";

/** One uploaded file: `apis/<name>.json`, `handlers/<path>.js` or `tykjs.js`. */
export interface SourceFile {
  path: string;
  text: string;
}

/** What keeps a release from going live: the file, what is wrong, and what mends it. */
export interface Problem {
  file: string;
  message: string;
}

const API_FILE = /^apis\/[^/]+\.json$/;
/** The user's own core script, loaded before every handler: the gateway's `tyk_js_path`. */
export const CORE_SCRIPT = "tykjs.js";
const SCRIPT_FILE = /^handlers\/(.+\.js)$/;

/** Puts the uploaded files together; the order of the files given does not matter. */
export function buildRelease(files: SourceFile[]): { release: Release; problems: Problem[] } {
  const sorted = [...files].sort((a, b) => (a.path < b.path ? -1 : 1));
  const problems: Problem[] = [];
  const apis = sorted.filter(({ path }) => API_FILE.test(path)).flatMap((file) => readApi(file, problems));
  const sources = new Map(sorted.flatMap(({ path, text }) => scriptEntry(path, text)));
  const core = sorted.filter(({ path }) => path === CORE_SCRIPT).map(({ path, text }) => ({ path, source: text }));
  const scripts = [...core, ...scriptsInLoadOrder(apis, sources, problems)];
  return { release: { format: 1, apis: apis.map(({ api }) => api), scripts }, problems };
}

interface ApiFile {
  file: string;
  api: Api;
}

function readApi({ path, text }: SourceFile, problems: Problem[]): ApiFile[] {
  try {
    return [{ file: path, api: parseDefinition(path, text) }];
  } catch (thrown) {
    if (!(thrown instanceof AppError)) throw thrown;
    problems.push({ file: path, message: errorText(thrown) });
    return [];
  }
}

function scriptEntry(path: string, text: string): [string, string][] {
  const script = SCRIPT_FILE.exec(path)?.[1];
  return script ? [[script, text]] : [];
}

/** By API file, then event in the definition, then place in its list; a file that several name loads once, first. */
function scriptsInLoadOrder(apis: ApiFile[], sources: Map<string, string>, problems: Problem[]): Script[] {
  const scripts = new Map<string, Script>();
  for (const { file, api } of apis) {
    for (const [type, refs] of Object.entries(api.handlers)) {
      for (const { name, path } of refs) {
        const source = sources.get(path);
        if (source === undefined) {
          const message = `${type} names handler ${name} in ${path}, but there is no handlers/${path}; upload it, or mend the path`;
          problems.push({ file, message });
        } else scripts.set(path, scripts.get(path) ?? { path, source });
      }
    }
  }
  return [...scripts.values()];
}
