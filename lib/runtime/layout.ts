/** Where the parts of an instance's memory are, in bytes from its start: the same in each of one build. */
export interface Bounds {
  /** Pages of the C stack: at rest nothing in them is alive. */
  stackLow: number;
  stackHigh: number;
  /** The static variable that has the end of the heap. */
  breakAt: number;
}

export interface Layout extends Bounds {
  /** The end of the heap now: what lies above was never used. */
  heapEnd(): number;
  /** True once the C stack was used to its end, or nearly. */
  stackSpent(): boolean;
}

export interface Allocator {
  malloc(bytes: number): number;
  free(address: number): void;
}

export const PAGE = 4096;
/** The C stack of the engine's build. */
const STACK_BYTES = 5 * 1024 * 1024;
/** Well above the end of the static variables, where they come before the stack. */
const STATICS_BYTES = 1024 * 1024;
/** And where they come behind it, as in the debug build. */
const SEARCHED_BYTES = STACK_BYTES + STATICS_BYTES;
const PROBE_BYTES = 256 * 1024;
/** Left on both sides of what seems to be the stack. */
const MARGIN = 2 * PAGE;
const ZERO_PAGE = Buffer.alloc(PAGE);

export function layoutOf(memory: ArrayBuffer, bounds: Bounds): Layout {
  const end = new Uint32Array(memory, bounds.breakAt, 1);
  const lastPage = Buffer.from(memory, bounds.stackLow, PAGE);
  return {
    ...bounds,
    heapEnd: () => end[0] ?? memory.byteLength,
    stackSpent: () => bounds.stackHigh > 0 && !lastPage.equals(ZERO_PAGE),
  };
}

/**
 * Finds the parts of an instance that has done nothing yet. The end of the heap is the static word that, when a
 * large chunk is taken, comes to point past it, and further than the allocator's own words do: the C library's
 * break. The build exports neither it nor the stack's bounds.
 */
export function findBounds(memory: ArrayBuffer, { malloc, free }: Allocator): Bounds {
  const words = new Uint32Array(memory);
  const before = words.slice(0, SEARCHED_BYTES / 4);
  const chunk = malloc(PROBE_BYTES);
  let at = -1;
  let end = chunk + PROBE_BYTES;
  for (const page of changedPages(memory, before)) {
    for (let index = page / 4; index < (page + PAGE) / 4; index += 1) {
      const now = words[index] ?? 0;
      if (now === before[index] || now < end || now > memory.byteLength) continue;
      at = index;
      end = now;
    }
  }
  free(chunk);
  if (at < 0) throw new Error("this build of QuickJS keeps the end of its heap elsewhere");
  return { ...stackOf(memory, before, chunk), breakAt: at * 4 };
}

/** Compared by page, since a loop over every word takes milliseconds in a thread that has just started. */
function* changedPages(memory: ArrayBuffer, before: Uint32Array<ArrayBuffer>): Generator<number> {
  for (let page = 0; page < before.byteLength; page += PAGE) {
    const now = Buffer.from(memory, page, PAGE);
    if (!now.equals(Buffer.from(before.buffer, page, PAGE))) yield page;
  }
}

/** The stack is between statics and heap. Where that is not plain to see, nothing is taken for a stack. */
function stackOf(memory: ArrayBuffer, before: Uint32Array<ArrayBuffer>, chunk: number) {
  let staticsEnd = STATICS_BYTES;
  while (staticsEnd > 0 && isZero(before.buffer, staticsEnd - PAGE, PAGE)) staticsEnd -= PAGE;
  const stackLow = staticsEnd + MARGIN;
  const stackHigh = Math.floor(chunk / PAGE) * PAGE - MARGIN;
  const size = stackHigh - stackLow;
  const plain = size > STACK_BYTES - 4 * MARGIN && size < STACK_BYTES && isZero(memory, stackLow, size);
  return plain ? { stackLow, stackHigh } : { stackLow: 0, stackHigh: 0 };
}

export function isZero(memory: ArrayBuffer, start: number, bytes: number): boolean {
  return Buffer.from(memory, start, bytes).equals(Buffer.alloc(bytes));
}

/**
 * Finds the state of Math.random, a 64-bit word of xorshift64*: the one that `draw` moves by exactly one step.
 * Answers how to seed it.
 */
export function findRandomState(memory: ArrayBuffer, layout: Layout, draw: () => void) {
  const states = new BigUint64Array(memory);
  const heapEnd = Math.min(Math.ceil(layout.heapEnd() / PAGE) * PAGE, memory.byteLength);
  const before = new Uint32Array(memory.slice(0, heapEnd));
  const was = new BigUint64Array(before.buffer);
  draw();
  for (const page of changedPages(memory, before)) {
    for (let at = page / 8; at < (page + PAGE) / 8; at += 1) {
      const state = was[at] ?? 0n;
      if (state === 0n || states[at] === state || states[at] !== nextState(state)) continue;
      return (seed: bigint) => {
        // Zero is the one state that never leaves itself.
        states[at] = seed || 1n;
      };
    }
  }
  throw new Error("this build of QuickJS keeps the state of Math.random elsewhere");
}

function nextState(state: bigint): bigint {
  let x = state;
  x ^= x >> 12n;
  x ^= BigInt.asUintN(64, x << 25n);
  return x ^ (x >> 27n);
}
