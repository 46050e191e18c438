import { readFileSync } from "node:fs";

/** Where the worker's code and QuickJS's WebAssembly file are; a bundle has both beside itself. */
export interface RuntimeAssets {
  worker: URL;
  wasm: WebAssembly.Module;
}

declare const BUNDLED: boolean | undefined;
const bundled = typeof BUNDLED !== "undefined";

/** Compiles QuickJS once; the compiled module is shared with every worker. */
export function loadAssets(): RuntimeAssets {
  const wasmFile = bundled
    ? new URL("./emscripten-module.wasm", import.meta.url)
    : new URL(import.meta.resolve("@jitl/quickjs-wasmfile-release-sync/wasm"));
  return {
    worker: new URL(bundled ? "./worker.mjs" : "./worker.ts", import.meta.url),
    wasm: new WebAssembly.Module(readFileSync(wasmFile)),
  };
}
