import { posix } from "node:path";
import { IDENTIFIER_PATH } from "../runtime/identifiers.ts";
import type { Coalesce } from "../webhooks/definition.ts";
import type { NamedHandler } from "../webhooks/own-handlers.ts";
import { invalidDefinition, type Source } from "./invalid.ts";

/** A JavaScript handler as an API definition names it. */
export interface HandlerRef {
  /** The JavaScript object, an identifier path such as `quotaHandler`. */
  name: string;
  /** Its script, relative to handlers/. */
  path: string;
  /** Many equal events make one run of it. */
  coalesce?: Coalesce;
}

/** The handlers that a definition names for each event type. */
export type Handlers = { type: string; refs: HandlerRef[]; own: NamedHandler[] }[];

/** Where a handler is named: the definition, the member that holds it, and what its two members are called there. */
export interface RefPlace {
  source: Source;
  at: string;
  members: { name: string; path: string };
}

const MAX_CHARS = 256;

/** Throws `definition-invalid`, naming the file and the member at fault. */
export function handlerRef(place: RefPlace, name: string, path: string): HandlerRef {
  const { source, at, members } = place;
  const refuse = (member: keyof typeof members, problem: string) =>
    invalidDefinition(source, `${at}.${members[member]}`, problem);
  if (!name) throw refuse("name", "is missing: it is the name of the handler object, such as quotaHandler");
  if (!path) throw refuse("path", "is missing: it is the script's file below handlers/");
  // The gateway pastes the name into source text; here it is looked up, so it can be nothing but a name.
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

/** The same path without `.`, `..` and repeated slashes; undefined for one that does not lead to a script. */
function plainPath(written: string): string | undefined {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  if (written.length > MAX_CHARS || /[\\\u0000-\u001f\u007f]/.test(written)) return undefined;
  const path = posix.normalize(written.replace(/^\/+/, ""));
  return path.endsWith(".js") && !path.startsWith("../") ? path : undefined;
}

const quoted = (text: string) => JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text);
