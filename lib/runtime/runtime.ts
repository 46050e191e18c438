import type { RuntimeAssets } from "./assets.ts";
import {
  DEFAULT_LIMITS,
  type Limits,
  type LoadFault,
  type Outcome,
  type Run,
  type Script,
} from "./protocol.ts";
import { type Host, startThread, type Thread } from "./thread.ts";

/** The scripts of one release, loaded and warm. */
export interface Runtime {
  /** Scripts that failed to load, with their error. */
  readonly faults: readonly LoadFault[];
  /** Per handler name, what is wrong with it; "" when nothing is. */
  probe(handlers: string[]): Promise<string[]>;
  /** Always an outcome, at the latest `timeoutMs` plus the grace after the call. One run at a time. */
  run(run: Run, host: Host): Promise<Outcome>;
  close(): Promise<void>;
}

export interface RuntimeOptions {
  assets: RuntimeAssets;
  limits?: Partial<Limits>;
  /** What scripts log while they load. */
  log?: Host["log"];
}

export async function startRuntime(scripts: Script[], options: RuntimeOptions): Promise<Runtime> {
  const limits = { ...DEFAULT_LIMITS, ...options.limits };
  const loadHost: Host = { call: async () => undefined, log: options.log ?? (() => {}) };
  let thread = startThread(options.assets, limits);
  const faults = await thread.load(scripts, loadHost);

  /** The thread that the next run uses; one that was killed is replaced, with the scripts loaded anew. */
  async function current(): Promise<Thread> {
    if (thread.alive) return thread;
    thread = startThread(options.assets, limits);
    await thread.load(scripts, loadHost);
    return thread;
  }

  return {
    faults,
    probe: async (handlers) => (await current()).probe(handlers),
    run: async (run, host) => (await current()).run(run, host),
    close: () => thread.close(),
  };
}
