import type { Counts, LiveRelease, State } from "../../console/answers.ts";
import type { Backend } from "./backend.ts";

const NO_RELEASE: LiveRelease = { version: "", trouble: null };

export async function stateOf(backend: Backend): Promise<State> {
  const { about, history, historyState, sender, sessions, releases, deadLetters, saveTest } = backend;
  return {
    ...about,
    has: {
      events: history !== undefined,
      send: sender !== undefined && about.write,
      sessions: sessions !== undefined,
      releases: releases !== undefined,
      dead_letters: deadLetters !== undefined,
      rerun: backend.reruns !== undefined,
      tests: saveTest !== undefined,
    },
    history: { ...historyState, events: history?.index.events().length ?? 0 },
    release: await liveRelease(backend),
    counts: countsOf(backend),
    pins: backend.reruns?.pins() ?? [],
  };
}

export function countsOf({ history }: Backend): Counts {
  const counts: Counts = { events: 0, failed: 0, dead: 0 };
  for (const { row } of history?.index.events() ?? []) {
    counts.events += 1;
    if (row.outcome === "failed") counts.failed += 1;
    if (row.outcome === "dead") counts.dead += 1;
  }
  return counts;
}

export async function liveRelease({ releases }: Backend): Promise<LiveRelease> {
  if (!releases) return NO_RELEASE;
  const { version = "", built, refused } = await releases.store.pointer();
  if (built === undefined || (!refused && built === version)) return { version, trouble: null };
  const entry = await releases.store.entry(built);
  const [first] = entry?.errors ?? [];
  if (!entry || !first) return { version, trouble: null };
  const place = [first.file, first.line].filter((each) => each !== undefined).join(":");
  const error = `${place}: ${first.message}`;
  return { version, trouble: { version: built, result: entry.result, error } };
}
