import { text } from "node:stream/consumers";
import { type KeyOptions, keyFrom, openSessionsOf, versionIn } from "../sessions-open.ts";
import { print, printJson } from "../terminal/print.ts";
import { readText, UsageError } from "../terminal/usage.ts";

/** The options of `gatehook sessions put`. */
export interface PutOptions extends KeyOptions {
  /** Stores it only if this is the current version. */
  ifVersion?: number;
  /** Quota and last_updated are stored as given. */
  suppressReset?: boolean;
}

/** `gatehook sessions put`: stores a whole session, as `PUT /sessions/{key}` does. */
export async function sessionsPut(argument: string, file: string, options: PutOptions): Promise<void> {
  if (argument === "-" && file === "-")
    throw new UsageError("key and session cannot both come from standard input: name a file");
  const key = await keyFrom(argument);
  const body = file === "-" ? await text(process.stdin) : await readText(file, "session");
  const { ifVersion, suppressReset } = options;
  const sessions = await openSessionsOf(options);
  try {
    const reply = await sessions.ask("PUT", key, {
      body,
      ifMatch: ifVersion === undefined ? undefined : `"${ifVersion}"`,
      query: suppressReset ? { suppress_reset: "1" } : {},
    });
    tellChange(versionIn(reply), reply.body, options);
  } finally {
    await sessions.end();
  }
}

/** Prints the result of a change, from the answer of the sessions API. */
export function tellChange(version: number, body: string, { json }: KeyOptions): void {
  const answer = JSON.parse(body) as { action: string; pending?: boolean };
  if (json) printJson({ action: answer.action, version, pending: answer.pending ?? false });
  else
    print(
      `${answer.action}, version ${version}${answer.pending ? "; gateway-sync will carry it to the gateway" : ""}`,
    );
}
