import { isBuiltin } from "node:module";
import type { Message } from "esbuild";
import { NO_AWAIT } from "../../lib/releases/module-syntax.ts";
import type { Problem } from "../../lib/releases/sources.ts";
import { isCode } from "./paths.ts";

/** The names of files in messages, and which of them are in the folder. */
export interface Naming {
  nameOf(file: string): string;
  isInFolder(file: string): boolean;
}

/** A message of the bundler with advice. */
export function asProblem({ text, location }: Message, { nameOf, isInFolder }: Naming): Problem {
  const message = explained(text);
  if (!location) return { file: "handlers/", message };
  const { file, line, column } = location;
  // The message has a word of the file, which may be any file of the user: a tsconfig.json names another one.
  const isOfCode = isCode(file) && !/ in (?:JSON|source map)$/.test(text);
  if (!isOfCode && !isInFolder(file)) return { file: nameOf(file), message: NOT_SHOWN };
  return { file: nameOf(file), line, column: column + 1, message };
}

/** The message for `import()` in a handler. */
export const NO_DYNAMIC_IMPORT =
  "a handler cannot load files while it runs, since all of it is one script: import this at the top of the file";
/** The message for an imported `.css` file. */
export const NO_STYLESHEET = "a handler cannot import a stylesheet";
/** The message for an imported file that is not code and lies outside of the folder. */
export const NO_DATA_FROM_OUTSIDE =
  "only code may be imported from outside of the folder, since all of it is uploaded: copy the file into the folder";

const NOT_SHOWN =
  "the bundler cannot read it, and what is in it is not shown, since it is outside of the folder: fix or remove what names it";

function explained(text: string): string {
  const [, name] = /^Could not resolve "(.*)"$/s.exec(text) ?? [];
  if (name !== undefined) return missing(name);
  return text.startsWith("Top-level await ") ? NO_AWAIT : text;
}

function missing(name: string): string {
  if (/^\.{0,2}\//.test(name)) return `there is no file ${name}: fix the path`;
  const [, builtin = name] = /^node:(.*)$/s.exec(name) ?? [];
  if (isBuiltin(name))
    return `a handler has no module ${name} of Node: ${insteadOf(builtin.replace(/\/.*/, ""))}`;
  const [, packageName] = /^((?:@[\w.-]+\/)?[\w.-]+)(?:\/.*)?$/.exec(name) ?? [];
  if (packageName === undefined || name.startsWith("@/"))
    return `${name} is neither a package nor one of the "paths" of tsconfig.json: fix the name`;
  return `the package ${packageName} is not installed, or has no ${name}: npm install ${packageName}`;
}

/** The alternatives to a module of Node. */
function insteadOf(builtin: string): string {
  if (PACKAGED.has(builtin)) return `npm install ${builtin}, and import it as "${builtin}/", or do without`;
  return INSTEAD.find(([names]) => names.includes(builtin))?.[1] ?? "use a package that is plain JavaScript";
}

/** Modules for which a package of the same name exists in plain JavaScript. */
const PACKAGED = new Set(["assert", "events", "punycode", "querystring", "string_decoder", "url", "util"]);

const INSTEAD: [names: string[], instead: string][] = [
  [["http", "https", "http2", "net", "tls", "dns", "dgram"], "it makes requests by TykMakeHttpRequest"],
  [["fs", "sqlite"], "it keeps texts by TykStorageSet, and a JSON file is imported"],
  [["buffer"], "it has b64enc and b64dec"],
  [["process", "os"], "settings are in the API's config_data, which is context.config_data"],
  [["timers"], "it has no timers"],
  [["path"], 'npm install path, and import it as "path/", or do without'],
];
