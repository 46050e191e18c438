import { keyName } from "../../functions/key-names.ts";
import { keyFrom } from "../sessions-open.ts";
import { print } from "../terminal/print.ts";
import { UsageError } from "../terminal/usage.ts";

/** `gatehook sessions hash`: prints a key's name in the table. */
export async function sessionsHash(key: string): Promise<void> {
  const rawKey = await keyFrom(key);
  const name = keyName(process.env)(rawKey);
  if (name === rawKey) throw new UsageError("HASH_KEYS is not set: the table has the keys as they are");
  print(name);
}
