import { createHash } from "node:crypto";
import { readEngine } from "./assets.ts";
import { readPrelude } from "./jsvm/source.ts";

/** Names the engine with the gateway's API in it: where it is the same, the same script does the same. */
export function engineId(): string {
  const { underscore, api } = readPrelude();
  return createHash("sha256").update(readEngine()).update(underscore).update(api).digest("hex").slice(0, 16);
}
