import { tenths } from "../tenths.ts";

/** One uploaded file: `apis/<name>.json`, `handlers/<path>.js`, `templates/<path>`, `gateway.json` or `tykjs.js`. */
export interface SourceFile {
  path: string;
  text: string;
  /** The file's size, if it is too large to be read; then its text is left out. */
  bytes?: number;
}

/** An error or a warning: the file, the position, and the fix. */
export interface Problem {
  file: string;
  line?: number;
  column?: number;
  message: string;
  /**
   * For an error: the ids of the APIs that are not changed because of it. An error in a definition file also keeps the
   * APIs that the file defined before. An error without this member rejects the whole release.
   */
  apis?: string[];
}

/** The user's own core script, loaded before every handler: the gateway's `tyk_js_path`. */
export const CORE_SCRIPT = "tykjs.js";
/** The uploaded file of a script in a release. */
export const scriptFile = (path: string) => (path === CORE_SCRIPT ? path : `handlers/${path}`);
/** The handlers of events that do not belong to an API, in the form of the gateway's own configuration. */
export const GATEWAY_FILE = "gateway.json";
/** The names of templates: their folder may have other files. */
export const TEMPLATE_ENDINGS = [".json", ".txt", ".xml", ".html", ".tmpl"] as const;
/** The kinds of files in these folders. */
export const SOURCE_FOLDERS = {
  "apis/": [".json"],
  "handlers/": [".js"],
  "templates/": TEMPLATE_ENDINGS,
} as const;
/** The uploaded file of a webhook's template. */
export const templateFile = (path: string) => `templates/${path}`;

/** Files that gatehook's commands bundle, in addition to `.js` files with imports; the releaser cannot. */
export const MODULE_ENDINGS = [".ts", ".mts", ".mjs"] as const;

/** Whether a file with this name must be bundled before it is uploaded. */
export const isModuleFile = (path: string) =>
  path.startsWith("handlers/") && !isDeclaration(path) && MODULE_ENDINGS.some((end) => path.endsWith(end));

/** Whether a file with this name has only types. */
export const isDeclaration = (path: string) => /\.d\.m?ts$/.test(path);

/** The script that is made from such a file. */
export const scriptOf = (path: string) => path.replace(/\.(?:m?ts|mjs)$/, ".js");

/** Whether a file is the source map of a bundled script; it is uploaded for debugging, and never read here. */
export const isMap = (path: string) => path.startsWith("handlers/") && path.endsWith(".js.map");

/** Whether a file with this name has definitions. */
export const isDefinition = (path: string) => path === GATEWAY_FILE || path.startsWith("apis/");

/** Whether a file with this name is part of a release. */
export function isSource(path: string): boolean {
  if (path === CORE_SCRIPT || path === GATEWAY_FILE) return true;
  return Object.entries(SOURCE_FOLDERS).some(
    ([folder, endings]) => path.startsWith(folder) && endings.some((ending) => path.endsWith(ending)),
  );
}

/** An OAS document can be long; a script of more than a megabyte is a mistake, or data. */
export const MAX_BYTES = { definition: 4 * 1024 * 1024, script: 1024 * 1024 } as const;

/** In bytes, by the file's name; a template has the limit of a script. */
export const sizeLimit = (path: string): number =>
  isDefinition(path) ? MAX_BYTES.definition : MAX_BYTES.script;

/** The problem of a file that is too large; undefined otherwise. */
export function tooLarge({ path, text, bytes = Buffer.byteLength(text) }: SourceFile): Problem | undefined {
  const limit = sizeLimit(path);
  if (bytes <= limit) return undefined;
  const megabytes = (size: number) => `${tenths(size / 1024 / 1024)} MB`;
  const what = limit === MAX_BYTES.script ? "a script may have" : "a definition may have";
  return {
    file: path,
    message: `it has ${megabytes(bytes)}, but ${what} ${megabytes(limit)} at most: make it smaller, or split it`,
  };
}
