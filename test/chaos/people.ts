import { setTimeout as delay } from "node:timers/promises";
import type { Session } from "../../lib/sessions/session.ts";
import { pick, type Random } from "../helpers/random.ts";
import type { ChaosEvent } from "./workload.ts";

/** A user of the sessions API while handlers write the same sessions. */
export interface People {
  /** The number of puts and deletions. */
  readonly puts: number;
  readonly deletes: number;
  end(): Promise<void>;
  /** These sessions, with the content of those that were deleted. */
  withRemoved(sessions: Map<string, Session>): Map<string, Session>;
}

const PAUSE_MS = 60;

export function startPeople(url: string, events: ChaosEvent[], random: Random): People {
  const keys = [...new Set(events.map(({ key }) => key))].filter((key) => /^(kept|gone)-/.test(key));
  const removed = new Map<string, string[]>();
  let isOver = keys.length === 0;

  /**
   * Each change has the read version as its condition: an effect that is written meanwhile is neither overwritten nor
   * deleted unseen.
   */
  async function change(key: string): Promise<void> {
    const place = `${url}/sessions/${encodeURIComponent(key)}`;
    const found = await fetch(place);
    if (!found.ok) return void (await found.body?.cancel());
    const session = (await found.json()) as Session;
    const headers = { "if-match": found.headers.get("etag") ?? "" };
    const isGone = key.startsWith("gone-");
    const request = isGone
      ? { method: "DELETE", headers }
      : { method: "PUT", headers, body: JSON.stringify({ ...session, alias: `a${random()}` }) };
    const { ok, body } = await fetch(place, request);
    await body?.cancel();
    if (!ok) return;
    if (!isGone) people.puts += 1;
    else {
      people.deletes += 1;
      removed.set(key, [...(removed.get(key) ?? []), ...(session.tags ?? [])]);
    }
  }

  async function live(): Promise<void> {
    while (!isOver) {
      await change(pick(random, keys as [string]));
      await delay(PAUSE_MS);
    }
  }

  const living = live();
  // A missing answer would be an error of the test rig, not of the chaos.
  living.catch(() => {});
  const people = {
    puts: 0,
    deletes: 0,
    async end() {
      isOver = true;
      await living;
    },
    withRemoved(sessions: Map<string, Session>) {
      const all = new Map(sessions);
      for (const [key, tags] of removed) {
        const session = sessions.get(key);
        all.set(key, { ...session, tags: [...tags, ...(session?.tags ?? [])] } as Session);
      }
      return all;
    },
  };
  return people;
}
