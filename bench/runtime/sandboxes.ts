// Our own sandbox in this thread: with both kinds of isolation, and with a new context for each run.
import { loadAssets } from "../../lib/runtime/assets.ts";
import { DEFAULT_LIMITS, type Isolation, type Script } from "../../lib/runtime/protocol.ts";
import type { HostCall } from "../../lib/runtime/worker/host-function.ts";
import { createInstance } from "../../lib/runtime/worker/instance.ts";
import { readPrelude } from "../../lib/runtime/worker/jsvm/source.ts";
import { createSandbox } from "../../lib/runtime/worker/sandbox.ts";
import { createSnapshotLifecycle } from "../../lib/runtime/worker/snapshot-lifecycle.ts";
import { SESSION, sampleRun } from "../sample.ts";

export const assets = loadAssets();
const limits = { ...DEFAULT_LIMITS, graceMs: 250 };
const prelude = readPrelude();
const hostCall: HostCall = (name) => ({ text: name === "getKeyData" ? SESSION : undefined });

/** One run of the session editor, until the next one can start. */
export type OneRun = () => Promise<void>;

export async function kept(isolation: Isolation, scripts: Script[]): Promise<OneRun> {
  const lifecycle = createSnapshotLifecycle({
    engine: { wasm: assets.wasm },
    prelude,
    limits,
    isolation,
    host: { begin() {}, call: hostCall },
    onLoading() {},
  });
  await lifecycle.load(scripts);
  return async () => {
    const { outcome } = lifecycle.run(sampleRun(5_000));
    if (!outcome.ok) throw new Error(JSON.stringify(outcome));
    await lifecycle.rest();
  };
}

/** The cost of isolation without a snapshot: a new context for each run in the same instance. */
export async function freshContexts(scripts: Script[]): Promise<OneRun> {
  const instance = await createInstance({ wasm: assets.wasm }, limits, () => {});
  // A sandbox that is disposed must not dispose the shared runtime.
  const runtime = Object.create(instance.runtime, {
    dispose: { value: () => {} },
    setInterruptHandler: { value: instance.runtime.setInterruptHandler.bind(instance.runtime) },
  });
  return async () => {
    const sandbox = createSandbox(
      { ...instance, runtime, context: instance.runtime.newContext() },
      { prelude, limits, hostCall, stop: { code: undefined } },
    );
    const faults = sandbox.load(scripts, () => {});
    const end = sandbox.run(sampleRun(5_000));
    if (faults.length > 0 || !end.ok) throw new Error(JSON.stringify([faults, end]));
    sandbox.dispose();
  };
}
