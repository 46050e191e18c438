import { randomBytes } from "node:crypto";
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";

const TOKEN = /^[\w-]{43}$/;

/** 256 random bits in 43 characters. */
export const newToken = () => randomBytes(32).toString("base64url");

/**
 * The token of a folder's page, which only its user can read; the same at each start, so that an open page goes on.
 * A folder that cannot be written has another token at each start.
 */
export function tokenIn(file: string): string {
  try {
    const known = readFileSync(file, "utf8").trim();
    if (TOKEN.test(known)) {
      chmodSync(file, 0o600);
      return known;
    }
  } catch {
    // Made below.
  }
  const token = newToken();
  try {
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, `${token}\n`, { mode: 0o600 });
    chmodSync(file, 0o600);
  } catch {
    // It is in the printed link all the same.
  }
  return token;
}
