import { createHash } from "node:crypto";
import { readEngine } from "./assets.ts";
import { DEFAULT_LIMITS } from "./protocol.ts";
import { readPrelude } from "./worker/jsvm/source.ts";

/** Names the engine with the gateway's API in it and its limits: where it is the same, the same script does the same. */
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
