import { createCanary } from "../lib/gateway/canary.ts";
import { connectGateway, type Gateway, type GatewayOptions } from "../lib/gateway/client.ts";
import { hashFunction } from "./key-names.ts";
import { baseUrl, type Env, headerText, integer, isSet, text } from "./settings.ts";

/** The gateway that owns the sessions; undefined where the table is the store. */
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

/** For those who know keys by their names in the table alone. Throws setting-invalid without one. */
export const requiredGateway = (env: Env): GatewayOptions => ({
  ...connection(env),
  hashed: hashFunction(env) !== undefined,
});

/** Connected when it is first asked in an invocation: a connection that outlives one may be dead at the next. */
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

/** The key by which the gateway is known to have its keys. */
export const canaryOf = (env: Env) => createCanary(canaryName(env), hashFunction(env));

/** The key's name, as the setting has it. */
export const canaryName = (env: Env) => text(env, "GATEWAY_CANARY");

/** How long the gateway's session cache may hold an older session, in ms. */
export const cacheMs = (env: Env) => integer(env, "GATEWAY_CACHE_SECONDS") * 1_000;

/** Keys that may be found absent in an hour. */
export const maxAbsences = (env: Env) => integer(env, "GATEWAY_MAX_ABSENCES");
