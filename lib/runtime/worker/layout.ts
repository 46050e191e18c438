/** Where the parts of an instance's memory are, in bytes from its start: the same in each of one build. */
export interface Bounds {
  /** Pages of the C stack: at rest nothing in them is alive. */
  stackLow: number;
  stackHigh: number;
  /** The static variable that has the end of the heap. */
  breakAt: number;
}

/** The bounds, with what moves; addresses in bytes. */
export interface Layout extends Bounds {
  /** The end of the heap now: what lies above was never used. */
  heapEnd(): number;
  /** True once the C stack was used to its end, or nearly. */
  stackSpent(): boolean;
}

/** The C allocator of an instance; `malloc` answers 0 when there is no memory left. */
export interface Allocator {
  malloc(bytes: number): number;
  free(address: number): void;
}

/** Bytes that are compared and restored together. */
export const PAGE = 4096;
/** The C stack of the engine's build. */
const STACK_BYTES = 5 * 1024 * 1024;
/** Well above the size of the static variables, which come before the stack, or behind it as in the debug build. */
const STATICS_BYTES = 1024 * 1024;
const STATICS_AT = [0, STACK_BYTES];
const PROBE_BYTES = 256 * 1024;
/** Left on both sides of what seems to be the stack. */
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
 * Finds the parts of an instance that has done nothing yet. The end of the heap is the static word that, when a
 * large chunk is taken, comes to point past it, and further than the allocator's own words do: the C library's
 * break. The build exports neither it nor the stack's bounds.
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
      // Whatever points there and did not change is the garbage of an earlier chunk.
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

/** The stack is between statics and heap. Where that is not plain to see, nothing is taken for a stack. */
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
  // In pieces, since a buffer of zeros as large as the stack would have to be made first.
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

/** Finds it: the 64-bit word of xorshift64* that `draw` moves by exactly one step. */
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
          // Zero is the one state that never leaves itself.
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
