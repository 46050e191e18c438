import type { Thread } from "./thread.ts";

/** A fixed number of slots for threads; a thread is started if there is work and no idle thread. */
export interface Pool {
  /**
   * Lends a live thread, or a dead one if none could be started. `onLate` says that it may have to be terminated soon:
   * its replacement is started in the meantime.
   */
  use<T>(work: (thread: Thread, onLate: () => void) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

interface Place {
  thread: Thread | undefined;
  spare?: Promise<Thread> | undefined;
}

/**
 * Owns `first` and every thread that `start` makes, and closes them. A dead thread is replaced before its slot is lent
 * again.
 */
export function createPool(size: number, first: Thread, start: () => Promise<Thread>): Pool {
  const places: Place[] = Array.from({ length: size }, (_, index) => ({
    thread: index === 0 ? first : undefined,
  }));
  // The thread that was used last is taken first, since its memory is warm; unstarted ones come last.
  const idle = places.toReversed();
  const waiting: ((place: Place) => void)[] = [];
  let closed = false;

  async function take(): Promise<Place> {
    return idle.pop() ?? new Promise((resolve) => waiting.push(resolve));
  }

  function giveBack(place: Place): void {
    const next = waiting.shift();
    if (next) next(place);
    else idle.push(place);
  }

  async function ready(place: Place): Promise<Thread> {
    const { spare } = place;
    place.spare = undefined;
    if (closed || place.thread?.alive) await (await spare)?.close();
    else place.thread = await (spare ?? start());
    if (closed) await place.thread?.close();
    return place.thread ?? first;
  }

  return {
    async use(work) {
      const place = await take();
      try {
        const result = await work(await ready(place), () => {
          place.spare ??= start();
        });
        // Now, not at the next use: a run then starts on a ready thread, and its time does not include the start.
        await ready(place);
        return result;
      } finally {
        giveBack(place);
      }
    },
    async close() {
      closed = true;
      await Promise.all(
        places.map(async ({ thread, spare }) => {
          await thread?.close();
          await (await spare)?.close();
        }),
      );
    },
  };
}
