import { posix } from "node:path";
import { inFile, invalidDefinition, memberOf, type Source } from "../apis/invalid.ts";
import { checkHeaderSize, isToken, parseRequestHeaders } from "../egress/headers.ts";
import { parseTarget } from "../egress/url.ts";
import { AppError } from "../errors.ts";
import { any, boolean, type Decoder, decodeValue, integer, map, raw, string, struct } from "../go/decode.ts";

/** The window in which equal events are coalesced. */
export interface Coalesce {
  windowSeconds: number;
  /** The member of `Meta` that is equal; without it, all events of a type are equal. */
  by?: string;
}

const METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"] as const;

/** An `eh_web_hook_handler` that gatehook sends. */
export interface Webhook {
  method: (typeof METHODS)[number];
  target: string;
  headers: [name: string, value: string][];
  /** A file in templates/; without it, the body is the gateway's default body. */
  template?: string;
  /** Whether the default body must be JSON for every event. */
  json: boolean;
  /** For how many seconds an equal body is not sent again; 0: every body is sent. */
  cooldownSeconds: number;
  coalesce?: Coalesce;
}

/** An `eh_log_handler` that gatehook writes. */
export interface LogHandler {
  prefix: string;
  coalesce?: Coalesce;
}

/** The position of a `handler_meta`. */
interface Place {
  source: Source;
  at: string;
}
type Meta = Record<string, unknown>;

const OPTIONS = ["json", "coalesce"];

/**
 * Whether gatehook runs the entry: the member `gatehook` of its `handler_meta` is `true`, or an object with options. In
 * a webhook that sends its events to gatehook, this member names scripts instead; such an entry is not run by gatehook.
 */
export function isOwn(given: unknown): boolean {
  const gatehook = plain(given);
  if (typeof gatehook !== "object" || gatehook === null || Array.isArray(gatehook)) return gatehook === true;
  const names = Object.keys(gatehook);
  return (
    names.some((name) => OPTIONS.includes(name)) && !names.some((name) => ["name", "path"].includes(name))
  );
}

/** A formatted definition has its members on separate lines, so they are looked up by name. */
const plain = (value: unknown) => decodeValue(value, any);

/** The members that both forms of a definition have, with their names there. */
interface Written {
  method: string;
  target: string;
  headers: [name: string, value: string][];
  template: string;
  cooldown: number;
  gatehook: unknown;
}
type Names = Record<Exclude<keyof Written, "gatehook">, string>;

const CLASSIC: Names = {
  method: "method",
  target: "target_path",
  headers: "header_map",
  template: "template_path",
  cooldown: "event_timeout",
};
const OAS: Names = {
  method: "method",
  target: "url",
  headers: "headers",
  template: "bodyTemplate",
  cooldown: "cooldownPeriod",
};

const classic = struct({
  method: string,
  target_path: string,
  template_path: string,
  header_map: map(string),
  event_timeout: integer,
});

/**
 * Throws `definition-invalid` with the member at fault, but never with the value of a header, which may be a secret.
 */
export function parseWebhook(place: Place, meta: Meta): Webhook {
  const given = decoded(place, meta, classic);
  return checked(place, CLASSIC, {
    method: given.method,
    target: given.target_path,
    headers: Object.entries(given.header_map ?? {}),
    template: given.template_path,
    cooldown: given.event_timeout,
    gatehook: meta.gatehook,
  });
}

/** A webhook of an OAS document, whose cool-down is parsed already. Throws the same errors. */
export function parseOasWebhook(
  place: Place,
  entry: {
    method: string;
    url: string;
    headers: { name: string; value: string }[] | null;
    bodyTemplate: string;
    cooldownPeriod: number;
    gatehook: unknown;
  },
): Webhook {
  const { method, url, headers, bodyTemplate, cooldownPeriod, gatehook } = entry;
  // As in the gateway's map of headers, the last value of a name is used.
  const pairs = new Map((headers ?? []).map(({ name, value }) => [name, value]));
  return checked(place, OAS, {
    method,
    target: url,
    headers: [...pairs],
    template: bodyTemplate,
    cooldown: cooldownPeriod,
    gatehook,
  });
}

function checked(place: Place, names: Names, given: Written): Webhook {
  const { json, coalesce } = parseOptions(place, given.gatehook, OPTIONS);
  const template = given.template && templateFile(place, names.template, given.template);
  if (template && json)
    place.source.warn(`${nameOf(place, "gatehook.json")} has no effect beside ${names.template}`);
  return {
    method: methodOf(place, names.method, given.method),
    target: targetOf(place, names.target, given.target),
    headers: checkedHeaders(place, names.headers, given.headers),
    ...(template && { template }),
    json,
    cooldownSeconds: cooldownOf(place, names.cooldown, given.cooldown),
    ...(coalesce && { coalesce }),
  };
}

const log = struct({ prefix: string });

/** Throws `definition-invalid` with the member at fault. */
export function parseLogHandler(place: Place, meta: Meta): LogHandler {
  const { prefix } = decoded(place, meta, log);
  const { coalesce } = parseOptions(place, meta.gatehook, ["coalesce"]);
  return { prefix, ...(coalesce && { coalesce }) };
}

const decoded = <T>({ source, at }: Place, meta: Meta, decoder: Decoder<T>): T =>
  inFile(source.file, memberOf(source, at), () => decodeValue(meta, decoder));

const nameOf = ({ source, at }: Place, member: string) => memberOf(source, `${at}.${member}`);

const refused = ({ source, at }: Place, member: string, problem: string) =>
  invalidDefinition(source, `${at}.${member}`, problem);

function methodOf(place: Place, member: string, written: string): Webhook["method"] {
  const method = METHODS.find((one) => one === (written.toUpperCase() || "GET"));
  if (!method)
    throw refused(place, member, `is ${quoted(written)}, but must be one of ${METHODS.join(", ")}`);
  if (!written) place.source.warn(`${nameOf(place, member)} is missing: as in the gateway, GET is sent`);
  return method;
}

function targetOf(place: Place, member: string, target: string): string {
  if (!target) throw refused(place, member, "is missing: it is the address to send to");
  try {
    parseTarget(target);
    return target;
  } catch (thrown) {
    if (!(thrown instanceof AppError)) throw thrown;
    const problem = `is not an address to send to, such as https://in.example/hooks: ${thrown.message}`;
    throw refused(place, member, problem);
  }
}

function checkedHeaders(place: Place, holder: string, headers: Webhook["headers"]): Webhook["headers"] {
  for (const [name, value] of headers) {
    const member = `${holder}[${quoted(name)}]`;
    if (!isToken(name))
      throw refused(place, member, "is not a header's name: it has letters, digits and -, and no line break");
    if (/^webhook-/i.test(name))
      throw refused(place, member, "is set by gatehook itself, for signatures: leave it out");
    const sent = orUndefined(() => parseRequestHeaders([[name, value]]));
    if (!sent)
      throw refused(place, member, "has a line break or another control character: a value is one line");
    if (sent.size === 0)
      place.source.warn(`${nameOf(place, member)} has no effect: it belongs to the connection`);
  }
  if (!orUndefined(() => checkHeaderSize(headers) ?? true))
    throw refused(place, holder, "is larger than any server takes: leave out what the target does not need");
  return headers;
}

/** Undefined if it throws: its error messages are for scripts, and name no header. */
function orUndefined<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch (thrown) {
    if (thrown instanceof AppError) return undefined;
    throw thrown;
  }
}

const MAX_PATH_CHARS = 256;

/** The gateway's path is relative to its own folder, which has a folder of the same name. */
function templateFile(place: Place, member: string, written: string): string {
  const path = posix.normalize(written.replace(/^\/+/, "")).replace(/^templates\//, "");
  const isPlain =
    written.length <= MAX_PATH_CHARS &&
    !/[\\\p{Cc}]/u.test(written) &&
    !/^(?:\.\.?(?:\/|$)|$)|\/$/.test(path);
  if (isPlain) return path;
  throw refused(place, member, `is ${quoted(written)}, but must name a file below templates/`);
}

const MAX_COOLDOWN_SECONDS = 30 * 86_400;

function cooldownOf(place: Place, member: string, seconds: number): number {
  if (seconds >= 0 && seconds <= MAX_COOLDOWN_SECONDS) return seconds;
  const problem = `is ${seconds}, but must be from 0 to ${MAX_COOLDOWN_SECONDS} seconds, which are 30 days`;
  throw refused(place, member, problem);
}

const coalesce = struct({ window: string, by: string });

function parseOptions(place: Place, given: unknown, known: string[]): { json: boolean; coalesce?: Coalesce } {
  const gatehook = plain(given);
  if (typeof gatehook !== "object" || gatehook === null) return { json: false };
  const unknown = Object.keys(gatehook).find((name) => !known.includes(name));
  if (unknown !== undefined)
    throw refused(place, `gatehook.${unknown}`, `is not known here: there is ${known.join(", ")}`);
  const options = decoded(
    place,
    { gatehook },
    struct({ gatehook: struct({ json: boolean, coalesce: raw }) }),
  );
  const { json, coalesce: written } = options.gatehook;
  return written === null
    ? { json }
    : { json, coalesce: parseCoalesce({ ...place, at: `${place.at}.gatehook` }, written) };
}

const UNITS: Record<string, number> = { s: 1, m: 60, h: 3_600 };
/** The queue's longest delay, in which the last event of a window waits for its end. */
const MAX_WINDOW_SECONDS = 12 * 3_600;

/**
 * The options of a script, whose `gatehook` has only `coalesce`. Throws `definition-invalid` with the member at fault.
 */
export const parseScriptOptions = (place: Place, gatehook: unknown): { coalesce?: Coalesce } => {
  const { coalesce } = parseOptions(place, gatehook, ["coalesce"]);
  return coalesce ? { coalesce } : {};
};

/**
 * Parses the member `coalesce` of the entry at `at`. Throws `definition-invalid`, for example for a window of 0 or of a
 * year.
 */
export function parseCoalesce(place: Place, given: unknown): Coalesce {
  const { window, by } = decoded(place, { coalesce: given }, struct({ coalesce })).coalesce;
  const [, count, unit = ""] = /^(\d{1,9})([smh])$/.exec(window) ?? [];
  const seconds = Number(count) * (UNITS[unit] ?? 0);
  if (!(seconds >= 1 && seconds <= MAX_WINDOW_SECONDS)) {
    const problem = window ? `is ${quoted(window)}, but must be` : "is missing: it is";
    throw refused(place, "coalesce.window", `${problem} a time from 1s to 12h, such as 60s, 5m or 1h`);
  }
  if (by.length > MAX_PATH_CHARS || /\p{Cc}/u.test(by))
    throw refused(place, "coalesce.by", "must be the name of a member of Meta, such as Key");
  return { windowSeconds: seconds, ...(by && { by }) };
}

const quoted = (text: string) => JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text);
