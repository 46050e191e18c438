import type { Api } from "../apis/definition.ts";
import { type Reference, referencesIn, withValues } from "../apis/references.ts";
import { AppError, errorText } from "../errors.ts";
import type { Log } from "../log.ts";

/**
 * The value of a reference. Throws `config-unresolved` if it does not exist or may not be read, and another error if
 * its store is unavailable.
 */
export type ReadValue = (reference: Reference) => Promise<string>;

/**
 * An API's config_data for its scripts, with references replaced by values. Throws `config-unresolved`, or
 * `dependency-failed` if a store is unavailable. Errors and logs never contain a value.
 */
export type ConfigOf = (api: ConfiguredApi) => Promise<Record<string, unknown> | undefined>;

type ConfiguredApi = Pick<Api, "api_id" | "config_data">;

/** `read` caches values for a while; the last values are also kept here, in case a store is unavailable. */
export function createConfigData(deps: { read: ReadValue; log: Log }): ConfigOf {
  /** By the config_data object of a release, as long as that exists. */
  const references = new WeakMap<object, Reference[]>();
  const last = new Map<string, string>();
  const reading = new Map<string, Promise<string>>();

  /** Concurrent runs share one request. */
  function read(reference: Reference): Promise<string> {
    const { text } = reference;
    const under = reading.get(text) ?? deps.read(reference).finally(() => reading.delete(text));
    reading.set(text, under);
    return under;
  }

  async function currentValue(api: ConfiguredApi, reference: Reference): Promise<string> {
    const { text } = reference;
    try {
      const value = await read(reference);
      last.set(text, value);
      return value;
    } catch (thrown) {
      const error = `config_data of API ${api.api_id}: ${text}: ${errorText(thrown)}`;
      if (thrown instanceof AppError && thrown.code !== "dependency-failed") {
        last.delete(text);
        throw new AppError("config-unresolved", error, { cause: thrown });
      }
      const known = last.get(text);
      if (known === undefined) throw new AppError("dependency-failed", error, { cause: thrown });
      deps.log.warn("the last value of a reference is used, its store is unavailable", { error });
      return known;
    }
  }

  return async (api) => {
    const { config_data } = api;
    if (!config_data) return undefined;
    const found = references.get(config_data) ?? referencesIn(config_data);
    references.set(config_data, found);
    if (found.length === 0) return config_data;
    const values = await Promise.all(
      found.map(async (reference) => [reference.text, await currentValue(api, reference)] as const),
    );
    return withValues(config_data, new Map(values));
  };
}
