import type { LoadFault } from "./protocol.ts";
import type { Thread } from "./thread.ts";

/** A fixed number of places for threads; each is started when there is work that no idle one can take. */
export interface Pool {
  /** Lends a thread that is alive, or, when none could be started, one that is not. */
  use<T>(work: (thread: Thread) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

interface Place {
  thread: Thread | undefined;
}

export interface Started {
  thread: Thread;
  faults: LoadFault[];
}

export function createPool(size: number, first: Thread, start: () => Promise<Thread>): Pool {
  const places: Place[] = Array.from({ length: size }, (_, index) => ({
    thread: index === 0 ? first : undefined,
  }));
  // The last one that was used is taken first, since its memory is warm; those not yet started come last.
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
    if (!place.thread?.alive && !closed) place.thread = await start();
    return place.thread ?? first;
  }

  return {
    async use(work) {
      const place = await take();
      try {
        const result = await work(await ready(place));
        // At once, not at the next use: so a run starts on a thread that is there, and its time is its own.
        await ready(place);
        return result;
      } finally {
        giveBack(place);
      }
    },
    async close() {
      closed = true;
      await Promise.all(places.map(({ thread }) => thread?.close()));
    },
  };
}
