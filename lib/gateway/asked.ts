import { isStorableKey } from "../sessions/limits.ts";
import { isNeverAsked } from "./key-name.ts";

/** Whether a gateway may be asked for a key, and the table hold it. */
export const isAsked = (key: string) => isStorableKey(key) && !isNeverAsked(key);
