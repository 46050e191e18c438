/**
 * The positions of the parts of an instance's memory, in bytes from its start: the same in all instances of a build.
 */
export interface Bounds {
  /** Pages of the C stack: between runs nothing in them is used. */
  stackLow: number;
  stackHigh: number;
  /** The static variable that has the end of the heap. */
  breakAt: number;
}

/** The positions, with those that move; addresses in bytes. */
export interface Layout extends Bounds {
  /** The current end of the heap: memory above it was never used. */
  heapEnd(): number;
  /** True if the C stack was used to its end, or nearly. */
  stackSpent(): boolean;
}

/** The C allocator of an instance; `malloc` returns 0 if there is no memory left. */
export interface Allocator {
  malloc(bytes: number): number;
  free(address: number): void;
}

/** Bytes that are compared and restored together. */
export const PAGE = 4096;
/** The C stack of the engine's build. */
const STACK_BYTES = 5 * 1024 * 1024;
/** Well above the size of the static variables, which are before the stack, or after it in the debug build. */
const STATICS_BYTES = 1024 * 1024;
const STATICS_AT = [0, STACK_BYTES];
const PROBE_BYTES = 256 * 1024;
/** A margin on both sides of the presumed stack. */
const MARGIN = 2 * PAGE;
const ZERO_PAGE = Buffer.alloc(PAGE);
const ZEROS = Buffer.alloc(16 * PAGE);

/** Reads the memory at each call; it must never move. */
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
 * Finds the parts of a new instance. The end of the heap is the C library's break: the static word that points past a
 * large chunk after its allocation, and further than the allocator's own words. The build exports neither the break nor
 * the stack's bounds.
 */
export function findBounds(memory: ArrayBuffer, { malloc, free }: Allocator): Bounds {
  const words = new Uint32Array(memory);
  const before = STATICS_AT.map((start) => copyOf(memory, start, start + STATICS_BYTES));
  const chunk = malloc(PROBE_BYTES);
  let breakAt = -1;
  let end = chunk + PROBE_BYTES;
  for (const page of before.flatMap((copy) => changedPages(memory, copy))) {
    for (let at = page; at < page + PAGE; at += 4) {
      const now = words[at / 4] ?? 0;
      // A word that points there and did not change is garbage of an earlier chunk.
      if (now < end || now > memory.byteLength || now === wordBefore(before, at)) continue;
      breakAt = at;
      end = now;
    }
  }
  free(chunk);
  if (breakAt < 0) throw new Error("this build of QuickJS keeps the end of its heap elsewhere");
  return { ...stackOf(memory, before[0], chunk), breakAt };
}

interface Copy {
  start: number;
  bytes: Buffer;
}

const copyOf = (memory: ArrayBuffer, start: number, end: number): Copy => ({
  start,
  bytes: Buffer.from(memory.slice(start, end)),
});

function wordBefore(copies: Copy[], at: number): number | undefined {
  const copy = copies.find(({ start, bytes }) => at >= start && at < start + bytes.length);
  return copy?.bytes.readUInt32LE(at - copy.start);
}

/** Compared by page, since a loop over every word takes milliseconds in a thread that has just started. */
function changedPages(memory: ArrayBuffer, { start, bytes }: Copy): number[] {
  const pages: number[] = [];
  for (let at = 0; at < bytes.length; at += PAGE) {
    if (!bytes.subarray(at, at + PAGE).equals(Buffer.from(memory, start + at, PAGE))) pages.push(start + at);
  }
  return pages;
}

/** The stack is between statics and heap. If that is not clear, no stack is assumed. */
function stackOf(memory: ArrayBuffer, before: Copy | undefined, chunk: number) {
  let staticsEnd = before?.bytes.length ?? 0;
  while (staticsEnd > 0 && before?.bytes.subarray(staticsEnd - PAGE, staticsEnd).equals(ZERO_PAGE))
    staticsEnd -= PAGE;
  const stackLow = staticsEnd + MARGIN;
  const stackHigh = Math.floor(chunk / PAGE) * PAGE - MARGIN;
  const size = stackHigh - stackLow;
  const plain = size > STACK_BYTES - 4 * MARGIN && size < STACK_BYTES && isZero(memory, stackLow, size);
  return plain ? { stackLow, stackHigh } : { stackLow: 0, stackHigh: 0 };
}

/** Whether these bytes are all 0. */
export function isZero(memory: ArrayBuffer, start: number, bytes: number): boolean {
  // In pieces, since comparing all of it would need a buffer of zeros as large as the stack.
  for (let at = 0; at < bytes; at += ZEROS.length) {
    const length = Math.min(ZEROS.length, bytes - at);
    if (!Buffer.from(memory, start + at, length).equals(ZEROS.subarray(0, length))) return false;
  }
  return true;
}

/** The state of Math.random in an instance. */
export interface RandomState {
  get(): bigint;
  set(state: bigint): void;
}

/** Finds it: the 64-bit word of xorshift64* that `draw` advances by exactly one step. */
export function findRandomState(memory: ArrayBuffer, layout: Layout, draw: () => void): RandomState {
  const states = new BigUint64Array(memory);
  const end = Math.min(Math.ceil(layout.heapEnd() / PAGE) * PAGE, memory.byteLength);
  const before = copyOf(memory, layout.stackHigh, end);
  draw();
  for (const page of changedPages(memory, before)) {
    for (let at = page; at < page + PAGE; at += 8) {
      const was = before.bytes.readBigUInt64LE(at - before.start);
      const now = states[at / 8];
      if (was === 0n || now === was || now !== nextState(was)) continue;
      return {
        get: () => states[at / 8] ?? 0n,
        set(state) {
          // Zero is the only state that never changes.
          states[at / 8] = state || 1n;
        },
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
