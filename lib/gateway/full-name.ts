import type { Gateway } from "./client.ts";

/** How a gateway names the custom keys of an organisation: by its prefix, or as a token of this hash function. */
type Form = "prefix" | "murmur64" | "murmur128" | "sha256" | "murmur32";

const FORMS: Form[] = ["prefix", "murmur64", "sha256", "murmur128", "murmur32"];

function nameIn(form: Form, orgId: string, id: string): string {
  if (form === "prefix") return `${orgId}${id}`;
  return Buffer.from(JSON.stringify({ org: orgId, id, h: form })).toString("base64");
}

/** Whether a key is not a custom key's short name. */
function isFull(key: string, orgId: string): boolean {
  if (orgId !== "" && key.startsWith(orgId)) return true;
  try {
    const token: unknown = JSON.parse(Buffer.from(key, "base64").toString());
    return typeof token === "object" && token !== null && "org" in token;
  } catch {
    return false;
  }
}

/**
 * Finds the name under which a gateway has a key that one of its APIs knows by this one. Events and lists have the
 * full name, clients may send the short one; a row is named by the full one, so that there is one of it.
 */
export function createFullNames(): (
  gateway: Pick<Gateway, "get">,
  key: string,
  orgId: string,
) => Promise<string | undefined> {
  // A gateway has one form, which its configuration decides.
  let known: Form[] = FORMS;
  return async (gateway, key, orgId) => {
    if (isFull(key, orgId) || (await gateway.get(key)) !== "missing") return key;
    for (const form of known) {
      const name = nameIn(form, orgId, key);
      if ((await gateway.get(name)) === "missing") continue;
      known = [form];
      return name;
    }
    return undefined;
  };
}
