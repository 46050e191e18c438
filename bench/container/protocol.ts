// The messages between a part and a container that it measures. Both sides import this file; it imports nothing.

/** One of the consumers that are compared: plain ones are what a user would write, bench/container/plain.ts. */
export type Side = "plain fresh" | "plain warm" | "gatehook";

/** Batches that a container is to run, one after the other. */
export interface Slice {
  /** Events of a batch. */
  batch: number;
  batches: number;
  /** Sessions `<prefix><number>` are there for this many numbers; each batch takes others, as far as they go. */
  prefix: string;
  keys: number;
  /** From one key to the next; 1 when nothing is said. */
  stride?: number;
  /** The events' API; `demo` when nothing is said. */
  apiId?: string;
  /** Of the invocations, in ms. */
  timeoutMs?: number;
  /** Where to write V8's profile of the main thread; it makes the figures larger. */
  profile?: string;
}

/** What a slice took, of this process alone. */
export interface Measured {
  events: number;
  /** Processor time in ms: all of it, and by thread. */
  cpu: { total: number; main: number; sandbox: number; rest: number };
  wallMs: number;
  /** What was written to stdout, without the texts that gatehook's scripts logged. */
  logBytes: number;
  /** Requests over HTTP. */
  calls: number;
  rssMb: number;
}

export type FromContainer = { ready: true } | { measured: Measured } | { failed: string };
