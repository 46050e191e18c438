import { isAddressable } from "./asked.ts";

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
