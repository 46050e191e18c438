import type { Gateway } from "./client.ts";
import { fullName, orgOf } from "./key-name.ts";

/** What `hash_key_function` can be, as far as it shows in the names of custom keys. */
const FUNCTIONS = ["", "murmur64", "sha256", "murmur128"];

/**
 * Finds the name under which a gateway has a key that one of its APIs knows by this one. Events and lists have the
 * full name, clients may send the short one; a row is named by the full one, so that there is one of it.
 */
export function createFullNames(): (
  gateway: Pick<Gateway, "get">,
  key: string,
  orgId: string,
) => Promise<string | undefined> {
  // A gateway has one, which its configuration decides.
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
