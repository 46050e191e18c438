import { isZero, type Layout, PAGE } from "./layout.ts";

/** A copy of an instance's memory between two runs. */
export interface Snapshot {
  /** Restores the memory; only for an instance that has not trapped. */
  restore(): void;
  /** The size of the copy in bytes. */
  readonly bytes: number;
}

/** Adjacent pages; `content` is undefined if all of them are zero. */
interface Stretch {
  start: number;
  end: number;
  content: Uint8Array | undefined;
}

/**
 * Copies the pages that are not zero, up to the heap's end. The C stack is left out: between runs nothing in it is
 * used. A restore zeroes the other pages, and the part by which the heap grew, since the allocator assumes that fresh
 * heap is zero.
 */
export function takeSnapshot(memory: ArrayBuffer, layout: Layout): Snapshot {
  const live = new Uint8Array(memory);
  const top = Math.min(Math.ceil(layout.heapEnd() / PAGE) * PAGE, live.length);
  const stretches = [...stretchesOf(live, 0, layout.stackLow), ...stretchesOf(live, layout.stackHigh, top)];
  return {
    bytes: stretches.reduce((sum, { content }) => sum + (content?.length ?? 0), 0),
    restore() {
      // Read first, since the break itself is in the memory that is restored.
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
