import { isObject, parsedJson } from "../json.ts";
import type { AttemptRecord, CallRecord } from "./records.ts";

/** Headers, in lower case, whose values a redacted record keeps. */
export const PLAIN_HEADERS: ReadonlySet<string> = new Set([
  "host",
  "user-agent",
  "accept",
  "content-type",
  "content-length",
]);

/** Members of a session that do not identify its owner. */
export const PLAIN_SESSION: ReadonlySet<string> = new Set([
  "org_id",
  "access_rights",
  "apply_policy_id",
  "apply_policies",
]);
const TIME = /^(\d{1,19}|\d{4}-\d\d-\d\dT[\d:.]+(Z|[+-]\d\d:\d\d))$/;

/** Only for these names: in any other member, a value that looks like a time may be a secret of digits. */
export const isTime = (name: string, value: unknown) =>
  (name === "date_created" || name === "last_updated") && typeof value === "string" && TIME.test(value);

/**
 * The user part of a URL, or of a domain without a scheme: the authority ends at the first slash, and the host begins
 * after the last `@`.
 */
const USER = /^((?:[a-z][a-z\d+.-]*:)?\/\/)?([^/?#]*)@/i;
export const withoutUser = (url: string) => url.replace(USER, (_, start = "") => start);

interface ClientRequest {
  method: string;
  path: string;
  /** Without its question mark. */
  query: string;
  headers: [name: string, value: string][];
  body: string;
}

/** The gateway puts the client's whole request there, in base64. */
export function readRequest(text: string): ClientRequest {
  const request = Buffer.from(text, "base64").toString("latin1");
  const end = /\r?\n\r?\n/.exec(request);
  const head = request.slice(0, end?.index ?? request.length);
  const [first = "", ...lines] = head.split(/\r?\n/);
  const [, method = "", path = "", query = ""] =
    /^([A-Z]{1,20}) ([^\s?#]*)(?:\?([^\s#]*))?/.exec(first) ?? [];
  const headers = lines.flatMap((line): [string, string][] => {
    const [, name, value = ""] = /^([\w!#$%&'*+.^`|~-]+):[ \t]*(.*)$/.exec(line) ?? [];
    return name === undefined ? [] : [[name, value]];
  });
  return { method, path, query, headers, body: end ? request.slice(end.index + end[0].length) : "" };
}

/** Shorter texts are ignored: they may be words, which any text may contain. */
const SECRET_CHARS = 8;

/**
 * The secrets in an attempt's data. They are removed from their own members, but may also be in log lines or addresses.
 */
export function secretsOf({ event, runs }: AttemptRecord): Set<string> {
  const { OriginatingRequest: request, Path: path } = event.Meta;
  const client = typeof request === "string" && request !== "" ? readRequest(request) : undefined;
  const texts = [
    ...(client?.headers.flatMap(([name, value]) => (PLAIN_HEADERS.has(name.toLowerCase()) ? [] : value)) ??
      []),
    ...textsIn(parsedJson(client?.body ?? "") ?? client?.body),
    ...valuesOf(client?.query ?? ""),
    ...(typeof path === "string" ? valuesOf(queryIn(path)) : []),
    ...runs.flatMap(({ context, calls, writes }) => [
      ...textsIn(context.config_data),
      ...calls.flatMap(secretsOfCall),
      ...writes.flatMap(({ before, after }) => [...sessionSecrets(before), ...sessionSecrets(after)]),
    ]),
  ];
  return new Set(texts.filter((text) => text.length >= SECRET_CHARS));
}

function secretsOfCall({ name, args, answer }: CallRecord): string[] {
  if (name === "getKeyData") return sessionSecrets(answer ?? null);
  if (name === "setKeyData") return sessionSecrets(args[1] ?? null);
  if (name === "storage") return [args[2] ?? "", ...textsIn(parsedJson(answer ?? ""))];
  return [...contentOf(parsedJson(args[0] ?? "")), ...contentOf(parsedJson(answer ?? ""))];
}

/** Bodies, the values of headers, and what a URL has besides its host and path. */
function contentOf(value: unknown): string[] {
  if (Array.isArray(value)) return value.flatMap(contentOf);
  if (!isObject(value)) return [];
  return Object.entries(value).flatMap(([name, each]) => {
    if (/^(requests|responses)$/i.test(name)) return contentOf(each);
    if (/^(domain|resource|relative_url)$/i.test(name) && typeof each === "string") return secretsOfUrl(each);
    if (!/^(headers|body)$/i.test(name)) return [];
    return typeof each === "string" ? [each, ...textsIn(parsedJson(each))] : textsIn(each);
  });
}

function secretsOfUrl(url: string): string[] {
  const [, , user = ""] = USER.exec(url) ?? [];
  const colon = user.indexOf(":");
  const password = colon < 0 ? [] : [user.slice(colon + 1)];
  return [...[user, ...password].flatMap(asWritten), ...valuesOf(queryIn(url))];
}

const queryIn = (url: string) => /\?([^#]*)/s.exec(url)?.[1] ?? "";

/** The values of the parameters in a query. */
const valuesOf = (query: string) =>
  query.split(/[&;]/).flatMap((pair) => asWritten(pair.slice(pair.indexOf("=") + 1)));

/** The value as it is in an address, and as a script may have had it before it was encoded. */
function asWritten(escaped: string): string[] {
  try {
    return [escaped, decodeURIComponent(escaped), decodeURIComponent(escaped.replaceAll("+", " "))];
  } catch {
    return [escaped];
  }
}

function sessionSecrets(text: string | null): string[] {
  const session = parsedJson(text ?? "");
  if (!isObject(session)) return [];
  return Object.entries(session).flatMap(([name, value]) =>
    PLAIN_SESSION.has(name) || isTime(name, value) ? [] : textsIn(value),
  );
}

function textsIn(value: unknown): string[] {
  if (typeof value === "string") return [value];
  if (typeof value !== "object" || value === null) return [];
  return Object.values(value).flatMap(textsIn);
}
