import { isZero, type Layout, PAGE } from "./layout.ts";

/** An instance's memory as it was at one moment, at rest. */
export interface Snapshot {
  /** Makes the memory again what it was; only for an instance that has not trapped. */
  restore(): void;
  /** Bytes that are kept. */
  readonly bytes: number;
}

/** Adjacent pages; `content` is undefined where all of them are zero. */
interface Stretch {
  start: number;
  end: number;
  content: Uint8Array | undefined;
}

/**
 * Copies the pages that are not zero, up to the heap's end. The C stack is left out: at rest nothing in it is alive.
 * A restore zeroes what was zero, and what the heap grew by, since the allocator believes that fresh heap is zero.
 */
export function takeSnapshot(memory: ArrayBuffer, layout: Layout): Snapshot {
  const live = new Uint8Array(memory);
  const top = Math.min(Math.ceil(layout.heapEnd() / PAGE) * PAGE, live.length);
  const stretches = [...stretchesOf(live, 0, layout.stackLow), ...stretchesOf(live, layout.stackHigh, top)];
  return {
    bytes: stretches.reduce((sum, { content }) => sum + (content?.length ?? 0), 0),
    restore() {
      // Read first: the break itself is in the memory that is put back.
      const grown = Math.min(layout.heapEnd(), live.length);
      if (grown > top) live.fill(0, top, grown);
      for (const { start, end, content } of stretches) {
        if (content) live.set(content, start);
        else live.fill(0, start, end);
      }
    },
  };
}

function stretchesOf(live: Uint8Array<ArrayBuffer>, from: number, to: number): Stretch[] {
  const stretches: { start: number; end: number; zero: boolean }[] = [];
  for (let start = from; start < to; start += PAGE) {
    const zero = isZero(live.buffer, start, PAGE);
    const last = stretches.at(-1);
    if (last?.zero === zero) last.end = start + PAGE;
    else stretches.push({ start, end: start + PAGE, zero });
  }
  return stretches.map(({ start, end, zero }) => ({
    start,
    end,
    content: zero ? undefined : live.slice(start, end),
  }));
}
