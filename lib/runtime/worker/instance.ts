import {
  newQuickJSWASMModuleFromVariant,
  newVariant,
  type QuickJSContext,
  type QuickJSEmscriptenModule,
  type QuickJSRuntime,
  type QuickJSSyncVariant,
  RELEASE_SYNC,
} from "quickjs-emscripten";
import type { Limits } from "../protocol.ts";
import { type Bounds, findBounds, type Layout, layoutOf } from "./layout.ts";

/** One QuickJS instance with its own WebAssembly memory. */
export interface Instance {
  runtime: QuickJSRuntime;
  context: QuickJSContext;
  memory: ArrayBuffer;
  layout: Layout;
  /** Allocations that failed so far; a script may have caught the error. */
  failedAllocations(): number;
}

/** Which build of QuickJS to run; the release build by default. */
export interface Engine {
  /** Undefined: the variant finds its own file. */
  wasm: WebAssembly.Module | undefined;
  variant?: QuickJSSyncVariant;
}

/** Resolved once in a thread, since it takes longer than creating an instance. */
const found = new WeakMap<QuickJSSyncVariant, Bounds>();

const WASM_PAGE = 64 * 1024;
/** Statics, C stack, and the texts that are passed to and from the sandbox. */
const HEADROOM_BYTES = 24 * 1024 * 1024;

/**
 * `onExhausted` is called if no memory is left for a text that is passed to the sandbox. The caller disposes context
 * and runtime, in this order, or drops the whole instance: nothing else refers to its memory.
 */
export async function createInstance(
  { wasm, variant = RELEASE_SYNC }: Engine,
  limits: Limits,
  onExhausted: () => void,
): Promise<Instance> {
  // Our own memory with its full size: a buffer that never moves, and a hard limit, unlike QuickJS's own limit. Built
  // by Emscripten, QuickJS counts 8 bytes for each allocation and checks sizes only one by one, and it does not report
  // when the limit is reached.
  const pages = Math.ceil((limits.memoryBytes + HEADROOM_BYTES) / WASM_PAGE);
  const wasmMemory = new WebAssembly.Memory({ initial: pages, maximum: pages });
  let failedAllocations = 0;
  // The allocator calls it when the memory is used up. The glue treats an error as a failed allocation.
  wasmMemory.grow = () => {
    failedAllocations += 1;
    throw new RangeError("the memory is as large as it may be");
  };
  const { promise, resolve } = Promise.withResolvers<QuickJSEmscriptenModule>();
  const base = newVariant(variant, { wasmMemory, ...(wasm && { wasmModule: wasm }) });
  const engine = await newQuickJSWASMModuleFromVariant({
    ...base,
    async importModuleLoader() {
      // As created by newVariant: the loader itself, with its arguments bound.
      const load = (await base.importModuleLoader()) as () => Promise<QuickJSEmscriptenModule>;
      return async () => {
        const module = await load();
        resolve(module);
        return module;
      };
    },
  });
  const module = await promise;
  const { _malloc: malloc, _free: free } = module as unknown as Record<string, (n: number) => number>;
  if (!malloc || !free) throw new Error("this build of QuickJS does not export its allocator");
  const bounds = found.get(variant) ?? findBounds(wasmMemory.buffer, { malloc, free });
  found.set(variant, bounds);
  const layout = layoutOf(wasmMemory.buffer, bounds);
  guardAllocation(module, malloc, onExhausted);
  const runtime = engine.newRuntime({ maxStackSizeBytes: limits.stackBytes });
  const context = runtime.newContext();
  return { runtime, context, memory: wasmMemory.buffer, layout, failedAllocations: () => failedAllocations };
}

/** The glue uses the result of malloc as an address, even 0, and would overwrite the statics. */
function guardAllocation(module: object, malloc: (bytes: number) => number, onExhausted: () => void): void {
  Object.assign(module, {
    _malloc(bytes: number): number {
      const address = malloc(bytes);
      if (address !== 0) return address;
      onExhausted();
      throw new Error("out of memory");
    },
  });
}
