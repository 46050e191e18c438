import { createCanary } from "../lib/gateway/canary.ts";
import { connectGateway, type Gateway, type GatewayOptions } from "../lib/gateway/client.ts";
import { hashFunction } from "./key-names.ts";
import { baseUrl, type Env, headerText, integer, isSet, text } from "./settings.ts";

/** The gateway that owns the sessions; undefined if the table owns them. */
export function gatewayOptions(env: Env): GatewayOptions | undefined {
  if (!isSet(env, "GATEWAY_URL")) return undefined;
  return connection(env);
}

const connection = (env: Env): GatewayOptions => ({
  hashed: false,
  url: baseUrl(env, "GATEWAY_URL"),
  secret: headerText(env, "GATEWAY_SECRET"),
  timeoutMs: integer(env, "GATEWAY_TIMEOUT_MS"),
});

/** For functions that know keys only by their names in the table. Throws setting-invalid without a gateway. */
export const requiredGateway = (env: Env): GatewayOptions => ({
  ...connection(env),
  hashed: hashFunction(env) !== undefined,
});

/** Connects at the first request of an invocation, since a connection of an earlier invocation may be dead. */
export function perInvocation(options: GatewayOptions): Pick<Gateway, "get"> & { end(): Promise<void> } {
  let connected: Gateway | undefined;
  return {
    get(key, query) {
      connected ??= connectGateway(options);
      return connected.get(key, query);
    },
    async end() {
      const ending = connected;
      connected = undefined;
      await ending?.close();
    },
  };
}

/** The key that proves that the gateway has its keys. */
export const canaryOf = (env: Env) => createCanary(canaryName(env), hashFunction(env));

/** The key's name, from the setting. */
export const canaryName = (env: Env) => text(env, "GATEWAY_CANARY");

/** The time for which the gateway's session cache may contain an older session, in ms. */
export const cacheMs = (env: Env) => integer(env, "GATEWAY_CACHE_SECONDS") * 1_000;

/** The maximum number of keys that may be found absent in an hour. */
export const maxAbsences = (env: Env) => integer(env, "GATEWAY_MAX_ABSENCES");
