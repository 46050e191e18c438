import { type KeyOptions, keyFrom, openSessionsOf, pretty, versionIn } from "../sessions-open.ts";
import { openSessionRows } from "../stage/open-table.ts";
import { print, printJson } from "../terminal/print.ts";

/** `gatehook sessions get`: prints the session of a key, as a handler reads it. */
export async function sessionsGet(argument: string, options: KeyOptions): Promise<void> {
  const key = await keyFrom(argument);
  const sessions = await openSessionsOf(options);
  try {
    const reply = await sessions.ask("GET", key);
    if (!options.json) {
      print(...pretty(reply.body).trimEnd().split("\n"));
      return;
    }
    const { rows, nameOf } = await openSessionRows();
    const name = options.hashed ? key : nameOf(key);
    const row = (await rows.readMany([name])).get(name);
    printJson({
      key,
      version: versionIn(reply),
      updated_at: row?.updatedAt ?? null,
      ttl: row?.ttl || null,
      changed_by: row?.changedBy ?? null,
      session: JSON.parse(reply.body) as unknown,
    });
  } finally {
    await sessions.end();
  }
}
