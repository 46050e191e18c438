import { setTimeout as delay } from "node:timers/promises";

/** An event source of the functions. */
export interface Source {
  /** Accepts no more work, and resolves when the work in progress has ended. */
  close(): Promise<void>;
}

/** The sources of one stack, which end together. */
export interface Sources {
  add(source: Source): void;
  /** Closes all sources, with a moment for the work in progress. */
  stop(): Promise<void>;
  /** Resolves when all work has ended, which it does soon after its functions. */
  ended(): Promise<void>;
}

const GRACE_MS = 1_000;

/** A moment is one second. */
export function createSources(): Sources {
  const sources: Source[] = [];
  let closed: Promise<unknown> = Promise.resolve();
  async function ended(): Promise<void> {
    await Promise.race([closed, delay(GRACE_MS, undefined, { ref: false })]);
  }
  return {
    add: (source) => void sources.push(source),
    async stop() {
      closed = Promise.all(sources.map((source) => source.close()));
      await ended();
    },
    ended,
  };
}
