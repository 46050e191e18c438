/** Paths below `/tyk/keys` that are no keys, and segments that a path loses. */
const TAKEN = new Set(["create", "preview", ".", ".."]);

/** Whether a key can stand in the path of the gateway's API, which takes no slash, not even an escaped one. */
export const isAddressable = (key: string) => !key.includes("/") && !TAKEN.has(key);

/**
 * The name by which a gateway makes this very key. It turns the name it is given into a token: base64 of compact
 * JSON with the organisation and the name. So a key that is such a token already is made by the name inside it.
 */
export function creationName(key: string, orgId: string): string {
  try {
    const token: unknown = JSON.parse(Buffer.from(key, "base64").toString());
    const { org, id } = token as { org?: unknown; id?: unknown };
    return org === orgId && typeof id === "string" && isAddressable(id) ? id : key;
  } catch {
    return key;
  }
}
