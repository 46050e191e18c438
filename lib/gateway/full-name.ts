import type { Gateway } from "./client.ts";
import { fullName, orgOf } from "./key-name.ts";

/** The values of `hash_key_function` that affect the names of custom keys. */
const FUNCTIONS = ["", "murmur64", "sha256", "murmur128"];

/**
 * Finds the full name of a key that one of the gateway's APIs finds by this name. Events and lists have the full name,
 * clients may send the short one; a row has the full name, so that there is only one.
 */
export function createFullNames(): (
  gateway: Pick<Gateway, "get">,
  key: string,
  orgId: string,
) => Promise<string | undefined> {
  // A gateway uses one of them, depending on its configuration.
  let known = FUNCTIONS;
  return async (gateway, key, orgId) => {
    if (orgOf(key) !== "" || (await gateway.get(key)) !== "missing") return key;
    for (const hashKeyFunction of known) {
      const name = fullName(hashKeyFunction, orgId, key);
      if ((await gateway.get(name)) === "missing") continue;
      known = [hashKeyFunction];
      return name;
    }
    return undefined;
  };
}
