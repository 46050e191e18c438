import { randomBytes } from "node:crypto";
import { chmodSync, lstatSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { makeStateFolder } from "../state-folder.ts";

const TOKEN = /^[\w-]{43}$/;

/** 256 random bits in 43 characters. */
export const newToken = () => randomBytes(32).toString("base64url");

/**
 * The token of a folder's page, which only its user can read; the same at each start, so that an open page keeps
 * working. For a folder that is not writable, each start has a new token.
 */
export function tokenIn(file: string): string {
  const known = readToken(file);
  if (known !== undefined) return known;
  const token = newToken();
  try {
    makeStateFolder(dirname(file));
    // An existing file is replaced, not written to: in a folder of other users it may be a link to elsewhere.
    const fresh = `${file}.${process.pid}`;
    writeFileSync(fresh, `${token}\n`, { mode: 0o600, flag: "wx" });
    renameSync(fresh, file);
  } catch {
    // The printed link contains it nevertheless.
  }
  return token;
}

/** Undefined if there is none, and for a link, whose creator may know its target. */
function readToken(file: string): string | undefined {
  try {
    if (!lstatSync(file).isFile()) return undefined;
    const text = readFileSync(file, "utf8").trim();
    if (!TOKEN.test(text)) return undefined;
    chmodSync(file, 0o600);
    return text;
  } catch {
    return undefined;
  }
}
