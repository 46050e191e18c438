import { createSecretCheck, type SecretCheck } from "../lib/secrets.ts";
import { type Env, invalid, isSet, secretList } from "./settings.ts";

/**
 * Checks who may use the key API; undefined if it is off. Throws setting-invalid with a gateway, which has its own key
 * API.
 */
export function readKeysAuth(env: Env): SecretCheck | undefined {
  const secrets = secretList(env, "KEYS_API_SECRET");
  if (secrets.length === 0) return undefined;
  if (isSet(env, "GATEWAY_URL"))
    throw invalid(
      "KEYS_API_SECRET",
      "is set together with GATEWAY_URL: the gateway there owns the sessions, and has this API itself",
    );
  return createSecretCheck(secrets);
}
