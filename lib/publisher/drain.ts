import { errorText } from "../errors.ts";
import type { Log } from "../log.ts";
import type { Deliver } from "./deliver.ts";
import type { Entry } from "./reader.ts";
import type { Spool } from "./spool.ts";

/** Sends the events of a spool, the oldest first, until it is stopped. */
export interface Drain {
  state(): DrainState;
  /** Resolves when the spool is empty, or after `cut`. */
  end(): Promise<void>;
  /** Ends the calls in progress. */
  cut(): void;
}

/** The results of this process's events, and why others wait. */
export interface DrainState {
  /** Events that the queue accepted. */
  sent: number;
  /** Events that the queue rejects permanently. */
  refused: number;
  /** Why nothing, or not everything, can be sent at present. */
  error: string | undefined;
}

/** The spool, and how its events are sent. */
export interface DrainDeps {
  spool: Pick<Spool, "peek" | "takeOff" | "setAside" | "grown">;
  deliver: Deliver;
  /** 0 to 1. */
  random: () => number;
  /** Resolves after this many milliseconds, or when the signal is aborted. */
  delay: (ms: number, signal: AbortSignal) => Promise<void>;
  log: Log;
}

/** The maximum number of events that are being sent. */
const WINDOW = 40;
const FIRST_WAIT_MS = 200;
const LONGEST_WAIT_MS = 10_000;

/**
 * Starts immediately. After a failure it waits up to 200 ms; the delay doubles with each further failure, up to 10 s.
 */
export function startDrain({ spool, deliver, random, delay, log }: DrainDeps): Drain {
  const cut = new AbortController();
  const ending = Promise.withResolvers<void>();
  let isEnding = false;
  const state: DrainState = { sent: 0, refused: 0, error: undefined };
  let failures = 0;
  /** The oldest events. A settled event stays until all before it are settled. */
  let window: Entry[] = [];
  const settled = new Set<Entry>();

  /** Returns why some events must wait. Throws the spool's errors. */
  async function send(): Promise<string | undefined> {
    const left = window.filter((entry) => !settled.has(entry));
    const verdicts = await deliver(
      left.map(({ message }) => message),
      cut.signal,
    );
    let trouble: string | undefined;
    for (const entry of left) {
      const verdict = verdicts.get(entry.message);
      if (verdict === undefined) continue;
      if (verdict === "sent") state.sent += 1;
      else if ("later" in verdict) {
        trouble ??= verdict.later;
        continue;
      } else {
        await spool.setAside(entry, verdict.refused);
        state.refused += 1;
      }
      settled.add(entry);
    }
    await takeOff();
    return trouble;
  }

  async function takeOff(): Promise<void> {
    const first = window.findIndex((entry) => !settled.has(entry));
    const done = window.splice(0, first < 0 ? window.length : first);
    for (const entry of done) settled.delete(entry);
    const last = done.at(-1);
    if (last) await spool.takeOff(last);
  }

  async function step(): Promise<boolean> {
    const grown = spool.grown();
    if (window.length === 0) window = await spool.peek(WINDOW);
    if (window.length === 0) {
      if (isEnding) return false;
      await Promise.race([grown, ending.promise]);
      return true;
    }
    const before = state.sent;
    const trouble = await send();
    if (state.sent > before) failures = 0;
    if (trouble === undefined) works();
    else await wait(trouble);
    return true;
  }

  function works(): void {
    if (state.error !== undefined) log.info("the queue takes events again", {});
    state.error = undefined;
    failures = 0;
  }

  async function wait(error: string): Promise<void> {
    if (cut.signal.aborted) return;
    if (state.error !== error) log.warn("events wait in the spool: they cannot be sent", { error });
    state.error = error;
    const longest = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** failures);
    failures = Math.min(failures + 1, 10);
    await delay(longest * (0.5 + random() / 2), cut.signal);
  }

  async function run(): Promise<void> {
    while (!cut.signal.aborted) {
      try {
        if (!(await step())) return;
      } catch (thrown) {
        await wait(errorText(thrown));
      }
    }
  }

  const running = run();
  return {
    state: () => state,
    end() {
      isEnding = true;
      ending.resolve();
      return running;
    },
    cut: () => cut.abort(),
  };
}
