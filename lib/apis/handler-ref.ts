import { posix } from "node:path";
import { IDENTIFIER_PATH } from "../runtime/identifiers.ts";
import type { Coalesce } from "../webhooks/definition.ts";
import type { NamedHandler } from "../webhooks/own-handlers.ts";
import { invalidDefinition, type Source } from "./invalid.ts";

/** A reference to a JavaScript handler in an API definition. */
export interface HandlerRef {
  /** The path of the JavaScript object, such as `quotaHandler`. */
  name: string;
  /** Its script, relative to handlers/. */
  path: string;
  /** If set, many events with equal values make one run. */
  coalesce?: Coalesce;
}

/** The handlers of each event type in a definition. */
export type Handlers = { type: string; refs: HandlerRef[]; own: NamedHandler[] }[];

/** The place of a handler: the definition, the member that contains it, and the names of its two members there. */
export interface RefPlace {
  source: Source;
  at: string;
  members: { name: string; path: string };
}

const MAX_CHARS = 256;

/** Throws `definition-invalid`, with the file and the invalid member. */
export function handlerRef(place: RefPlace, name: string, path: string): HandlerRef {
  const { source, at, members } = place;
  const refuse = (member: keyof typeof members, problem: string) =>
    invalidDefinition(source, `${at}.${members[member]}`, problem);
  if (!name) throw refuse("name", "is missing: it is the name of the handler object, such as quotaHandler");
  if (!path) throw refuse("path", "is missing: it is the script's file below handlers/");
  // The gateway inserts the name into source text; gatehook looks it up, so it must be a name.
  if (name.length > MAX_CHARS || !IDENTIFIER_PATH.test(name))
    throw refuse(
      "name",
      `is ${quoted(name)}, but must be an identifier or a path of them, such as ns.handler`,
    );
  const script = plainPath(path);
  if (script === undefined)
    throw refuse("path", `is ${quoted(path)}, but must name a .js file below handlers/${ofModule(path)}`);
  return { name, path: script };
}

function ofModule(path: string): string {
  const [, stem] = /([^/]+)\.(?:m?ts|mjs)$/.exec(path) ?? [];
  return stem === undefined
    ? ""
    : `: ${stem}.js, also where it is made of ${path.slice(path.lastIndexOf("/") + 1)}`;
}

/** The same path without `.`, `..` and repeated slashes; undefined for a path that is not a script's. */
function plainPath(written: string): string | undefined {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the pattern finds control characters
  if (written.length > MAX_CHARS || /[\\\u0000-\u001f\u007f]/.test(written)) return undefined;
  const path = posix.normalize(written.replace(/^\/+/, ""));
  return path.endsWith(".js") && !path.startsWith("../") ? path : undefined;
}

const quoted = (text: string) => JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text);
