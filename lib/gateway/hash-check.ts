import { AppError } from "../errors.ts";
import { type Canary, canaryHash } from "./canary.ts";
import { type Gateway, saysNotHashed } from "./client.ts";
import type { HashFunction } from "./key-hash.ts";

/** The values of `hash_key_function`; without one, keys are hashed with 32 bits. */
const FUNCTIONS = ["murmur64", "murmur128", "sha256", ""];

/** `canaryName`: the raw key of the canary. `hashFunction`: the value of `HASH_KEYS`. */
export interface HashCheckDeps {
  hashFunction: HashFunction;
  canaryName: string;
  canary: Pick<Canary, "make">;
  wasCanaryMade: () => Promise<boolean>;
  noteCanaryMade: () => Promise<void>;
}

/**
 * Throws setting-invalid if the gateway stores keys under other hashes than the table, which is detected with the
 * canary. A gateway without a canary is accepted, since its absences are never accepted.
 */
export function createHashCheck(deps: HashCheckDeps): (gateway: Gateway) => Promise<void> {
  const { hashFunction } = deps;
  const functions = [hashFunction, ...FUNCTIONS.filter((name) => name !== hashFunction)];
  let passed = false;
  let made = false;

  /** Undefined if the canary is under none of them. */
  async function functionOf(gateway: Gateway): Promise<string | undefined> {
    for (const name of functions)
      if ((await gateway.get(canaryHash(deps.canaryName, name), { hashed: true })) !== "missing") return name;
    return undefined;
  }

  async function makeCanary(gateway: Gateway): Promise<void> {
    made = true;
    if (await deps.canary.make(gateway)) await deps.noteCanaryMade();
  }

  async function check(gateway: Gateway): Promise<void> {
    try {
      let found = await functionOf(gateway);
      // A canary under another function shows that the gateway has its keys; the function may have changed since.
      const mayBeMade = found === undefined ? !(await deps.wasCanaryMade()) : found !== hashFunction;
      if (mayBeMade && !made) {
        await makeCanary(gateway);
        found = await functionOf(gateway);
      }
      if (found === undefined) return;
      if (found !== hashFunction) throw refused(hashFunction, `hashes them with ${found || "no function"}`);
      passed = true;
    } catch (thrown) {
      throw saysNotHashed(thrown) ? refused(hashFunction, "does not hash them") : thrown;
    }
  }

  let checking: Promise<void> | undefined;
  return async (gateway) => {
    if (passed) return;
    // All keys of a batch wait for the same check.
    checking ??= check(gateway).finally(() => {
      checking = undefined;
    });
    await checking;
  };
}

const refused = (hashFunction: HashFunction, what: string) =>
  new AppError(
    "setting-invalid",
    `HASH_KEYS is "${hashFunction}": it must be the hash_key_function of the gateway, with hash_keys, for keys to be ` +
      `found there; but the gateway seems to be one that ${what}`,
  );
