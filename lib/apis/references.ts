/** The store of a reference's value. */
export type ValueStore = "parameters" | "secrets";

/**
 * A text in config_data that refers to a value which no definition should contain, such as `secrets://billing/token`.
 */
export interface Reference {
  text: string;
  store: ValueStore;
  name: string;
}

/** Without AWS: the prefix of the environment variables that have the values. */
export const LOCAL_VALUES = "CONFIG_DATA_";

/** The gateway's names of the stores. */
const STORES: Record<string, ValueStore> = {
  env: "parameters",
  consul: "parameters",
  secrets: "secrets",
  vault: "secrets",
};

const REFERENCE = /\b(env|consul|secrets|vault):\/\/([\w./-]*\w)/g;

/** All references in the texts of a value, at any depth, without duplicates. */
export function referencesIn(value: unknown): Reference[] {
  const found = new Map<string, Reference>();
  const look = (part: unknown): void => {
    if (typeof part === "string")
      for (const [text, scheme = "", name = ""] of part.matchAll(REFERENCE))
        found.set(text, { text, store: STORES[scheme] ?? "secrets", name });
    else if (typeof part === "object" && part !== null) Object.values(part).forEach(look);
  };
  look(value);
  return [...found.values()];
}

/** The same value with its references replaced by their values. `values`: by the text of the reference. */
export function withValues<T>(value: T, values: ReadonlyMap<string, string>): T {
  const fill = (part: unknown): unknown => {
    if (typeof part === "string") return part.replace(REFERENCE, (text) => values.get(text) ?? text);
    if (Array.isArray(part)) return part.map(fill);
    if (typeof part !== "object" || part === null) return part;
    return Object.fromEntries(Object.entries(part).map(([name, member]) => [name, fill(member)]));
  };
  return fill(value) as T;
}
