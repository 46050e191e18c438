import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { setFlagsFromString } from "node:v8";

/** The paths of the worker's code and of QuickJS's WebAssembly file; a bundle has both beside it. */
export interface RuntimeAssets {
  worker: URL;
  wasm: WebAssembly.Module;
}

declare const BUNDLED: boolean | undefined;
const bundled = typeof BUNDLED !== "undefined";

/**
 * V8's budget before it optimises a function: sixty times its default, with which optimisation would happen in each
 * cold start (`npm run bench:coldstart`). A handler that computes a lot reaches it within a few runs.
 */
const TIERING_BUDGET = 2_147_483_647;
const V8_TIERING_BUDGET = 13_000_000;

/** Compiles QuickJS once; the compiled module is shared with every worker. */
export function loadAssets(): RuntimeAssets {
  return {
    worker: new URL(bundled ? "./worker.mjs" : "./worker/worker.ts", import.meta.url),
    wasm: compile(readEngine()),
  };
}

/** The bytes of QuickJS's WebAssembly file, from its npm package or from the bundle's folder. */
export function readEngine(): Uint8Array {
  const file = bundled
    ? new URL("./emscripten-module.wasm", import.meta.url)
    : createRequire(import.meta.resolve("quickjs-emscripten")).resolve(
        "@jitl/quickjs-wasmfile-release-sync/wasm",
      );
  return readFileSync(file);
}

/** A module keeps the budget with which it was compiled; other modules are not affected. */
function compile(bytes: Uint8Array): WebAssembly.Module {
  setFlagsFromString(`--wasm-tiering-budget=${TIERING_BUDGET}`);
  try {
    return new WebAssembly.Module(bytes);
  } finally {
    setFlagsFromString(`--wasm-tiering-budget=${V8_TIERING_BUDGET}`);
  }
}
