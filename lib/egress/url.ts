import { AppError } from "../errors.ts";
import { bytesLike, escapeBytes, unescapeBytes } from "../go/text.ts";

/** The target of one request. */
export interface Target {
  /** Scheme, host and port from the WHATWG URL, which alone determines the host. */
  origin: string;
  /** Without brackets. */
  host: string;
  port: number;
  /** Path and query for the request line: visible ASCII, and bytes from 0x80 as latin1. */
  path: string;
  /** `Basic …`, if the URL carried credentials. */
  authorization: string | undefined;
  /** Without credentials. */
  url: string;
  /** With credentials, as the base of a redirect. It must never be logged. */
  href: string;
}

/** A URL as parsed by Go's net/url; unlike a browser it keeps dot segments and the query as written. */
interface Parts {
  scheme: string;
  userinfo: string | undefined;
  host: string;
  /** Escaped for the request line, beginning with a slash or empty. */
  path: string;
  query: string | undefined;
}

/** Longer than any server accepts; it limits the work on a URL. */
const URL_CHARS = 65_536;

function checkLength(text: string): void {
  if (text.length > URL_CHARS) throw invalid(`the URL is longer than ${URL_CHARS} characters`);
}

/** The URL that Go's url.ParseRequestURI makes of a text; throws http-invalid if that fails. */
export function fromRequestUri(text: string): string {
  checkLength(text);
  const { scheme, userinfo, host, path, query } = parse(text, true);
  const authority = `${userinfo === undefined ? "" : `${userinfo}@`}${host}`;
  // The query may contain a `#`: Go parses this text once more, and then it begins a fragment. In the path it is %23.
  return `${scheme}://${authority}${path}${query === undefined ? "" : `?${query}`}`;
}

/** Throws http-invalid for URLs that Go's url.Parse rejects; other URLs may still not be valid targets. */
export function checkUrl(text: string): void {
  checkLength(text);
  parse(withoutFragment(text), false);
}

/** Throws http-invalid for everything but an http or https URL with a host. */
export function parseTarget(text: string): Target {
  const { scheme, userinfo, host, path, query } = parse(withoutFragment(text), false);
  if (scheme !== "http" && scheme !== "https") throw invalid("only http and https URLs can be requested");
  if (host === "" || !URL.canParse(`${scheme}://${host}`)) throw invalid("the URL has no valid host");

  const { origin, hostname, port } = new URL(`${scheme}://${host}`);
  const rooted = path === "" ? "/" : path;
  // Go sends the query raw. A space would break the request line for every server, so that one is escaped.
  const search = query === undefined ? "" : `?${query.replaceAll(" ", "%20")}`;
  const credentials = userinfo === undefined ? "" : `${userinfo}@`;
  return {
    origin,
    host: hostname.replace(/^\[(.*)\]$/, "$1"),
    port: Number(port || (scheme === "http" ? 80 : 443)),
    path: bytesOf(rooted + search),
    authorization: userinfo === undefined ? undefined : basicAuthorization(userinfo),
    url: origin + rooted + search,
    href: `${scheme}://${credentials}${host}${rooted}${search}`,
  };
}

function parse(text: string, viaRequest: boolean): Parts {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: a URL must not contain them
  if (/[\0-\x1f\x7f]/.test(text)) throw invalid("the URL has a control character");
  const scheme = /^[a-z][a-z\d+.-]*(?=:)/i.exec(text)?.[0] ?? "";
  const rest = scheme === "" ? text : text.slice(scheme.length + 1);
  const [hierarchy, query] = cut(rest, "?");
  const parts = { scheme: scheme.toLowerCase(), userinfo: undefined, host: "", path: "", query };
  if (!hierarchy.startsWith("/")) {
    if (scheme !== "") return parts; // as in mailto:someone, which has no host
    const first = cut(hierarchy, "/")[0];
    if (viaRequest || first.includes(":")) throw invalid("the URL must begin with http:// or https://");
    return { ...parts, path: escapePath(hierarchy) };
  }

  const hasAuthority = hierarchy.startsWith("//") && (scheme !== "" || !viaRequest);
  if (!hasAuthority) return { ...parts, path: escapePath(hierarchy) };
  const [authority, path] = cut(hierarchy.slice(2), "/");
  const at = authority.lastIndexOf("@");
  return {
    ...parts,
    userinfo: at < 0 ? undefined : checkUserinfo(authority.slice(0, at)),
    host: checkHost(authority.slice(at + 1)),
    path: path === undefined ? "" : escapePath(`/${path}`),
  };
}

const USERINFO = /^[\w\-.~:!$&'()*+,;=@%]*$/;

function checkUserinfo(text: string): string {
  if (BAD_ESCAPE.test(text) || !USERINFO.test(text)) throw invalid("the URL has a bad user information");
  return text;
}

/**
 * The only ASCII character that a host may escape is the percent sign before an IPv6 zone; a port consists of digits,
 * or is empty.
 */
const HOST = /^(?:\[[^[\]/\\@?# ]*\]|(?:[\w\-.~!$&'()*+,;=<>"]|[^\0-\x7f]|%25|%[89a-f][\da-f])*)(?::\d*)?$/i;
/** A DNS name has at most 253 bytes, each of which may be escaped. URL takes long to parse longer ones. */
const HOST_CHARS = 1_024;

function checkHost(text: string): string {
  if (text.length > HOST_CHARS || !HOST.test(text)) throw invalid("the URL has a bad host");
  return text;
}

const BAD_ESCAPE = /%(?![\da-f]{2})/i;
const PATH_BYTES = bytesLike(/[\w\-.~$&+,/:;=@]/);

/** A properly encoded path is not changed; any other is decoded and encoded again, as Go's EscapedPath does. */
function escapePath(path: string): string {
  if (BAD_ESCAPE.test(path)) throw invalid("the URL has a bad % escape");
  if (/^[\w\-.~$&+,/:;=@!'()*[\]%]*$/.test(path)) return path;
  return escapeBytes(unescapeBytes(path), PATH_BYTES);
}

function basicAuthorization(userinfo: string): string {
  const [user, password = ""] = cut(userinfo, ":");
  const credentials = [unescapeBytes(user), Buffer.from(":"), unescapeBytes(password)];
  return `Basic ${Buffer.concat(credentials).toString("base64")}`;
}

function withoutFragment(text: string): string {
  const [url, fragment = ""] = cut(text, "#");
  if (BAD_ESCAPE.test(fragment)) throw invalid("the URL has a bad % escape");
  return url;
}

/** UTF-8 bytes, one character each. */
function bytesOf(text: string): string {
  return Buffer.from(text).toString("latin1");
}

function cut(text: string, separator: string): [string, string | undefined] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)];
}

function invalid(problem: string): AppError {
  return new AppError("http-invalid", problem);
}
