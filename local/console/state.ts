import type { Counts, LiveRelease, State } from "../../console/answers.ts";
import type { Backend } from "./backend.ts";

const NO_RELEASE: LiveRelease = { version: "", trouble: null };

/** The first data that the page requests. */
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
    counts: await countsOf(backend),
    pins: backend.reruns?.pins() ?? [],
  };
}

/** The counts of all kept events. The queue's count is at most 5 seconds old. */
export async function countsOf(backend: Backend): Promise<Counts> {
  const counts: Counts = { events: 0, failed: 0, dead: await lettersOf(backend) };
  for (const { row } of backend.history?.index.events() ?? []) {
    counts.events += 1;
    if (row.outcome === "failed") counts.failed += 1;
  }
  return counts;
}

const ASK_MS = 5_000;
const asked = new WeakMap<Backend, { at: number; letters: Promise<number> }>();

/** The queue's counts, cached for a short time for all viewers; none without permission. */
function lettersOf(backend: Backend): Promise<number> {
  const known = asked.get(backend);
  if (known && performance.now() - known.at < ASK_MS) return known.letters;
  const letters = (backend.deadLetters?.letters.size() ?? Promise.resolve(NONE)).then(
    ({ visible, held }) => visible + held,
    () => 0,
  );
  asked.set(backend, { at: performance.now(), letters });
  return letters;
}

const NONE = { visible: 0, held: 0 };

/** The live version, "" if there is none, and the problems of a newer upload. */
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
