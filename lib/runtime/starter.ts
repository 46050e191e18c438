import { DEFAULT_LIMITS, type Script } from "./protocol.ts";
import { type Runtime, type RuntimeOptions, startRuntime } from "./runtime.ts";
import { startThread, type Thread } from "./thread.ts";

/** Starts one runtime after another. */
export interface Starter {
  start(scripts: Script[]): Promise<Runtime>;
  /** Starts the next runtime's thread ahead, in the background, which is most of the start time. */
  prepare(): void;
  /** Ends the thread that was started ahead, if any. Does not close runtimes: their users do. */
  close(): Promise<void>;
}

/** All runtimes get these options; `options.thread` is replaced by the thread that was started ahead. */
export function createStarter(options: RuntimeOptions): Starter {
  let ahead: Promise<Thread> | undefined;

  async function boot(): Promise<Thread> {
    const limits = { ...DEFAULT_LIMITS, ...options.limits };
    return startThread(options.assets, limits, options.isolation ?? "global", options.tellUsed);
  }

  return {
    async start(scripts) {
      const thread = await ahead;
      ahead = undefined;
      return startRuntime(scripts, thread?.alive ? { ...options, thread } : options);
    },
    prepare() {
      ahead ??= boot();
    },
    async close() {
      await (await ahead)?.close();
    },
  };
}
