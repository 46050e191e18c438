import { tenths } from "../tenths.ts";

/** One uploaded file: `apis/<name>.json`, `handlers/<path>.js`, `templates/<path>`, `gateway.json` or `tykjs.js`. */
export interface SourceFile {
  path: string;
  text: string;
  /** The file's size, where it is too large to be read; its text is then left out. */
  bytes?: number;
}

/** What is wrong, or odd: the file, where in it, and what fixes it. */
export interface Problem {
  file: string;
  line?: number;
  column?: number;
  message: string;
  /**
   * Of an error: the ids of the APIs that it keeps as they are. One in a definition's file keeps those too that the
   * file defined before. An error without this keeps the whole release.
   */
  apis?: string[];
}

/** The user's own core script, loaded before every handler: the gateway's `tyk_js_path`. */
export const CORE_SCRIPT = "tykjs.js";
/** The uploaded file of a script that a release names in its own way. */
export const scriptFile = (path: string) => (path === CORE_SCRIPT ? path : `handlers/${path}`);
/** The handlers of events that belong to no API, in the form of the gateway's own configuration. */
export const GATEWAY_FILE = "gateway.json";
/** What templates of webhooks are called: a folder of theirs may hold other files. */
export const TEMPLATE_ENDINGS = [".json", ".txt", ".xml", ".html", ".tmpl"] as const;
/** What the uploads below these folders are. */
export const SOURCE_FOLDERS = {
  "apis/": [".json"],
  "handlers/": [".js"],
  "templates/": TEMPLATE_ENDINGS,
} as const;
/** The uploaded file of a template that a webhook names. */
export const templateFile = (path: string) => `templates/${path}`;

/** What gatehook's commands make a script of, beside those `.js` that import: the releaser cannot. */
export const MODULE_ENDINGS = [".ts", ".mts", ".mjs"] as const;

/** Whether a file of this name has to be made a script before it is uploaded. */
export const isModuleFile = (path: string) =>
  path.startsWith("handlers/") && !isDeclaration(path) && MODULE_ENDINGS.some((end) => path.endsWith(end));

/** Whether a file of this name holds types alone. */
export const isDeclaration = (path: string) => /\.d\.m?ts$/.test(path);

/** The script that is made of such a file. */
export const scriptOf = (path: string) => path.replace(/\.(?:m?ts|mjs)$/, ".js");

/** Whether a file is the source map of a script that was made so; it is uploaded for people, and never read here. */
export const isMap = (path: string) => path.startsWith("handlers/") && path.endsWith(".js.map");

/** Whether a file of this name holds definitions. */
export const isDefinition = (path: string) => path === GATEWAY_FILE || path.startsWith("apis/");

/** Whether a file of this name is part of what a release is made of. */
export function isSource(path: string): boolean {
  if (path === CORE_SCRIPT || path === GATEWAY_FILE) return true;
  return Object.entries(SOURCE_FOLDERS).some(
    ([folder, endings]) => path.startsWith(folder) && endings.some((ending) => path.endsWith(ending)),
  );
}

/** An OAS document can be long; a script of a megabyte is a mistake, or data. */
export const MAX_BYTES = { definition: 4 * 1024 * 1024, script: 1024 * 1024 } as const;

/** In bytes, by the file's name; a template has the limit of a script. */
export const sizeLimit = (path: string): number =>
  isDefinition(path) ? MAX_BYTES.definition : MAX_BYTES.script;

/** The problem of a file that is too large; undefined when it is not. */
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
