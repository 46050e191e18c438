import { createHash } from "node:crypto";

/** The name of a key where the key itself must not be visible. */
const keyDigest = (key: string) => createHash("sha256").update(key).digest("hex");

/** The short form for logs, where it only distinguishes keys. */
export const shortKeyDigest = (key: string) => keyDigest(key).slice(0, 16);
