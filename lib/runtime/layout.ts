/** Where the parts of an instance's memory are, in bytes from its start. */
export interface Layout {
  /** Pages of the C stack: at rest nothing in them is alive. */
  stackLow: number;
  stackHigh: number;
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
/** The build's static variables, and their end well before it. */
const STATICS_BYTES = 128 * 1024;
const PROBE_BYTES = 256 * 1024;
/** Left on both sides of what seems to be the stack. */
const MARGIN = 2 * PAGE;
const ZERO_PAGE = Buffer.alloc(PAGE);

/**
 * Finds the parts of an instance that has done nothing yet. The end of the heap is the static word that, when a
 * large chunk is taken, comes to point past it, and further than the allocator's own words do: the C library's
 * break. The build exports neither it nor the stack's bounds.
 */
export function findLayout(memory: ArrayBuffer, { malloc, free }: Allocator): Layout {
  const words = new Uint32Array(memory);
  const before = words.slice(0, STATICS_BYTES / 4);
  const chunk = malloc(PROBE_BYTES);
  let at = -1;
  let end = chunk + PROBE_BYTES;
  for (let index = 0; index < before.length; index += 1) {
    const now = words[index] ?? 0;
    if (now === before[index] || now < end || now > memory.byteLength) continue;
    at = index;
    end = now;
  }
  free(chunk);
  if (at < 0) throw new Error("this build of QuickJS keeps the end of its heap elsewhere");
  const stack = stackOf(memory, before, chunk);
  const lastPage = Buffer.from(memory, stack.stackLow, PAGE);
  return {
    ...stack,
    heapEnd: () => words[at] ?? memory.byteLength,
    stackSpent: () => stack.stackHigh > 0 && !lastPage.equals(ZERO_PAGE),
  };
}

/** The stack is between statics and heap. Where that is not plain to see, nothing is taken for a stack. */
function stackOf(memory: ArrayBuffer, before: Uint32Array, chunk: number) {
  const staticsEnd = before.findLastIndex((word) => word !== 0) * 4;
  const stackLow = Math.ceil(staticsEnd / PAGE) * PAGE + MARGIN;
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
  const words = new Uint32Array(memory);
  const before = words.slice(0, Math.floor(layout.heapEnd() / 4));
  const was = new BigUint64Array(before.buffer, 0, Math.floor(before.length / 2));
  draw();
  for (let at = layout.stackHigh / 8; at < was.length; at += 1) {
    if (words[2 * at] === before[2 * at]) continue;
    const state = was[at] ?? 0n;
    if (state === 0n || states[at] !== nextState(state)) continue;
    return (seed: bigint) => {
      // Zero is the one state that never leaves itself.
      states[at] = seed || 1n;
    };
  }
  throw new Error("this build of QuickJS keeps the state of Math.random elsewhere");
}

function nextState(state: bigint): bigint {
  let x = state;
  x ^= x >> 12n;
  x ^= BigInt.asUintN(64, x << 25n);
  return x ^ (x >> 27n);
}
