import type { Session } from "../../lib/sessions/session.ts";
import { type ChaosEvent, effectOf, eventOf, markOf } from "./workload.ts";

/** The events with a wrong result. */
export interface Audit {
  /** Neither done nor in the dead letters. */
  lost: string[];
  /** An effect that occurs too often: of a duplicate, or of a run that failed. */
  doubled: string[];
  /** Done, but missing in a shared session: another write has overwritten it. One entry for each effect. */
  lostUpdates: string[];
  /** In the dead letters although a handler can still succeed, or with a wrong reason. */
  misplaced: string[];
  /** In a FIFO queue: took effect before an event of its key that was sent earlier. */
  misordered: string[];
}

/** Compares the sessions and the dead letters with the required results of these events. */
export function audit(
  events: ChaosEvent[],
  sessions: Map<string, Session>,
  reasons: Map<string, string[]>,
  fifo = false,
): Audit {
  const shown = new Map([...sessions].map(([key, { tags }]) => [key, countsOf([...(tags ?? [])])]));
  const timesIn = (key: string, effect: string) => shown.get(key)?.get(effect) ?? 0;
  const found: Audit = { lost: [], doubled: [], lostUpdates: [], misplaced: [], misordered: [] };
  const allowed = new Map<string, Set<string>>();
  const allow = (key: string, effect: string) => {
    allowed.set(key, (allowed.get(key) ?? new Set()).add(effect));
  };
  for (const { id, effects, deadLetter } of events) {
    const buried = reasons.get(id);
    for (const { handler, sessions: given, inOne } of effects) {
      const effect = effectOf(id, handler);
      for (const key of [markOf(id), ...given]) allow(key, effect);
      const showing = given.filter((key) => timesIn(key, effect) > 0);
      const shared = inOne ? [...showing, ...given].slice(0, 1) : given;
      if (inOne && showing.length > 1) found.doubled.push(id);
      const missing = shared.filter((key) => timesIn(key, effect) === 0);
      const marked = timesIn(markOf(id), effect) > 0;
      // They are written together or not at all: one of them proves that the handler's work was committed.
      if (marked || missing.length < shared.length)
        found.lostUpdates.push(...missing.map(() => id), ...(marked ? [] : [id]));
      else (buried === undefined ? found.lost : found.misplaced).push(id);
    }
    if (deadLetter && !buried) found.lost.push(id);
    if (buried?.some((reason) => !deadLetter?.includes(reason))) found.misplaced.push(id);
  }
  for (const [key, effects] of shown) {
    for (const [effect, times] of effects)
      if (times > (allowed.get(key)?.has(effect) ? 1 : 0)) found.doubled.push(eventOf(effect));
  }
  if (fifo) found.misordered = misordered(events, sessions);
  for (const name of ["lost", "doubled", "misplaced"] as const) found[name] = [...new Set(found[name])];
  return found;
}

/** Only events of a key change its session, so the session shows their order. */
function misordered(events: ChaosEvent[], sessions: Map<string, Session>): string[] {
  const places = new Map(events.map(({ id }, place) => [id, place]));
  return [...new Set(events.map(({ key }) => key))].flatMap((key) => {
    const ids = (sessions.get(key)?.tags ?? []).map(eventOf);
    return ids.filter((id, at) => at > 0 && (places.get(id) ?? 0) < (places.get(ids[at - 1] ?? "") ?? 0));
  });
}

export function countsOf(names: string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  return counts;
}
