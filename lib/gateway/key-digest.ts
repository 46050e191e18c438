import { createHash } from "node:crypto";

/** How a key is named wherever it must not be read. */
const keyDigest = (key: string) => createHash("sha256").update(key).digest("hex");

/** The same for a log, where it only tells keys apart. */
export const shortKeyDigest = (key: string) => keyDigest(key).slice(0, 16);
