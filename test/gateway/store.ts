/**
 * What a gateway keeps in Redis: sessions by the name they are stored under, as JSON texts, and the counters of their
 * quotas. While it is down nothing is found and nothing is written.
 */
export interface Store {
  isDown(): boolean;
  text(name: string): string | undefined;
  /** `lifetime` is in seconds; 0 and less for ever. False while it is down. */
  write(name: string, text: string, lifetime: number): boolean;
  /** Whether there was one. */
  remove(name: string): boolean;
  names(): string[];
  counter(name: string): Counter | undefined;
  /** Counts one more use; a counter that is not there starts again for `lifetime` seconds. */
  count(name: string, lifetime: number): Counter;
  removeCounter(name: string): void;
  /** As a Redis that comes back without its data. */
  clear(): void;
}

export interface Counter {
  used: number;
  /** When it is gone, in unix ms; Infinity for never. */
  until: number;
}

export function createStore({ now, isDown }: { now: () => number; isDown: () => boolean }): Store {
  const sessions = new Map<string, { text: string; until: number }>();
  const counters = new Map<string, Counter>();

  const untilIn = (seconds: number) => (seconds > 0 ? now() + seconds * 1000 : Number.POSITIVE_INFINITY);

  function living<T extends { until: number }>(entries: Map<string, T>, name: string): T | undefined {
    const entry = isDown() ? undefined : entries.get(name);
    return entry && entry.until > now() ? entry : undefined;
  }

  return {
    isDown,
    text: (name) => living(sessions, name)?.text,
    write(name, text, lifetime) {
      if (isDown()) return false;
      sessions.set(name, { text, until: untilIn(lifetime) });
      return true;
    },
    remove(name) {
      const was = living(sessions, name) !== undefined;
      if (was) sessions.delete(name);
      return was;
    },
    names: () => [...sessions.keys()].filter((name) => living(sessions, name)),
    counter: (name) => living(counters, name),
    count(name, lifetime) {
      const { used, until } = living(counters, name) ?? { used: 0, until: untilIn(lifetime) };
      const counter = { used: used + 1, until };
      counters.set(name, counter);
      return counter;
    },
    removeCounter(name) {
      if (!isDown()) counters.delete(name);
    },
    clear() {
      sessions.clear();
      counters.clear();
    },
  };
}
