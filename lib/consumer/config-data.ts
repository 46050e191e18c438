import type { Api } from "../apis/definition.ts";
import { type Reference, referencesIn, withValues } from "../apis/references.ts";
import { AppError, errorText } from "../errors.ts";
import type { Log } from "../log.ts";

/**
 * The value that a reference stands for. Throws `config-unresolved` when it does not exist or may not be read, and
 * anything else when its store did not answer.
 */
export type ReadValue = (reference: Reference) => Promise<string>;

/**
 * An API's config_data as its scripts get it: with values in place of references. Throws `config-unresolved`, and
 * `dependency-failed` when a store does not answer. No value is in an error, or in the log.
 */
export type ConfigOf = (api: ConfiguredApi) => Promise<Record<string, unknown> | undefined>;

type ConfiguredApi = Pick<Api, "api_id" | "config_data">;

/** `read` caches values for a while; the values that were read last are kept here, for a store that does not answer. */
export function createConfigData(deps: { read: ReadValue; log: Log }): ConfigOf {
  /** By the config_data of a release, which lives as long as that. */
  const references = new WeakMap<object, Reference[]>();
  const last = new Map<string, string>();
  const reading = new Map<string, Promise<string>>();

  /** Runs at the same time share one request. */
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
      deps.log.warn("the last value of a reference goes on, since its store does not answer", { error });
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
