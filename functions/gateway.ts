import { connectGateway, type Gateway, type GatewayOptions } from "../lib/gateway/client.ts";
import { baseUrl, headerText, integer } from "./settings.ts";

type Env = Record<string, string | undefined>;

/** The gateway that owns the sessions; undefined where the table is the store. */
export function gatewayOptions(env: Env): GatewayOptions | undefined {
  if (!env.GATEWAY_URL?.trim()) return undefined;
  return connection(env);
}

/** Keys go by their own names, where nothing else is said. */
const connection = (env: Env): GatewayOptions => ({
  hashed: false,
  url: baseUrl(env, "GATEWAY_URL"),
  secret: headerText(env, "GATEWAY_SECRET"),
  timeoutMs: integer(env, "GATEWAY_TIMEOUT_MS", 3_000, 100, 60_000),
});

/** Throws setting-invalid without one. */
export const requiredGateway = (env: Env): GatewayOptions => gatewayOptions(env) ?? connection(env);

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
