/** The run of a message that is in progress, in memory shared by both threads, so that only this run times out. */
export interface Progress {
  start(index: number, now: number): void;
  /** Between two runs. */
  rest(): void;
  /** -1 between two runs. */
  readonly index: number;
  /** When the last run started, in ms of `clockMs`. */
  readonly startedAt: number;
}

const TIME = 8;
/** The size of the memory that `createProgress` needs. */
export const PROGRESS_BYTES = TIME + 8;

/** Both threads create one on the same memory: the worker writes, the main thread reads. */
export function createProgress(memory: SharedArrayBuffer): Progress {
  const index = new Int32Array(memory, 0, 1);
  const startedAt = new Float64Array(memory, TIME, 1);
  return {
    start(at, now) {
      // The time first: the other thread reads it after the index.
      startedAt[0] = now;
      Atomics.store(index, 0, at);
    },
    rest: () => void Atomics.store(index, 0, -1),
    get index() {
      return Atomics.load(index, 0);
    },
    get startedAt() {
      return startedAt[0] ?? 0;
    },
  };
}
