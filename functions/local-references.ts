import { LOCAL_VALUES } from "../lib/apis/references.ts";
import type { ReadValue } from "../lib/consumer/config-data.ts";
import { AppError } from "../lib/errors.ts";
import type { Env } from "./settings.ts";

/** Values from the environment: `secrets://billing/token` is in `CONFIG_DATA_BILLING_TOKEN`. */
export function createLocalReferences(env: Env): ReadValue {
  return async ({ name }) => {
    const variable = `${LOCAL_VALUES}${name.toUpperCase().replace(/\W/g, "_")}`;
    const value = env[variable];
    if (value !== undefined) return value;
    throw new AppError("config-unresolved", `environment variable ${variable} is not set: give it the value`);
  };
}
