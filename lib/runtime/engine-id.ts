import { createHash } from "node:crypto";
import { readEngine } from "./assets.ts";
import { DEFAULT_LIMITS } from "./protocol.ts";
import { readPrelude } from "./worker/jsvm/source.ts";

/** Identifies the engine, the gateway's API in it and its limits: if it is equal, the same script behaves the same. */
export function engineId(): string {
  const { underscore, api } = readPrelude();
  const hash = createHash("sha256").update(readEngine());
  return hash
    .update(underscore)
    .update(api)
    .update(JSON.stringify(DEFAULT_LIMITS))
    .digest("hex")
    .slice(0, 16);
}
