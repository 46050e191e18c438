// The messages between a part and a container that it measures. Both sides import this file; it imports nothing.

/** The consumers that are compared. The plain ones are what a user would write: bench/container/plain.ts. */
export type Side = "plain fresh" | "plain warm" | "gatehook";

/** Batches that a container runs, one after the other. */
export interface Slice {
  /** The number of events in a batch. */
  batch: number;
  batches: number;
  /** There are sessions `<prefix><number>` for this many numbers. Each batch uses other ones, until all were used. */
  prefix: string;
  keys: number;
  /** The distance from one key to the next; 1 by default. */
  stride?: number;
  /** The API of the events; `demo` by default. */
  apiId?: string;
  /** The timeout of each invocation, in ms. */
  timeoutMs?: number;
  /** Where to write V8's profile of the main thread. Profiling increases the other figures. */
  profile?: string;
}

/** The cost of a slice in this process. */
export interface Measured {
  events: number;
  /** Processor time in ms: all of it, and by thread. */
  cpu: { total: number; main: number; sandbox: number; rest: number };
  wallMs: number;
  /** The output, without the texts that scripts logged. */
  logBytes: number;
  /** HTTP requests. */
  calls: number;
  rssMb: number;
}

export type FromContainer = { ready: true } | { measured: Measured } | { failed: string };
