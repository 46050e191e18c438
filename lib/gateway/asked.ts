import { isStorableKey } from "../sessions/limits.ts";
import { isNeverAsked } from "./key-name.ts";

/** Whether a key may be requested from a gateway, and stored in the table. */
export const isAsked = (key: string) => isStorableKey(key) && !isNeverAsked(key);
