import { loadAssets } from "../../lib/runtime/assets.ts";
import { DEFAULT_LIMITS, type Isolation, type Limits, type Script } from "../../lib/runtime/protocol.ts";
import type { HostAnswer } from "../../lib/runtime/worker/host-function.ts";
import { readPrelude } from "../../lib/runtime/worker/jsvm/source.ts";
import {
  createSnapshotLifecycle,
  type SnapshotLifecycle,
  type SnapshotLifecycleDeps,
} from "../../lib/runtime/worker/snapshot-lifecycle.ts";

const { wasm } = loadAssets();
const prelude = readPrelude();

/** A sandbox in this thread, for what needs no hard end: what scripts ask of the host is answered at once. */
export interface InProcess {
  lifecycle: SnapshotLifecycle;
  /** All that the scripts asked of the host since this was asked last. */
  asked(): string[];
}

const ANSWERS: Record<string, string> = {
  getKeyData: JSON.stringify({ expires: 1000, tags: ["b", "a"], quota_max: 10 }),
  storage: JSON.stringify({ error: null, value: "stored" }),
};

export async function loadInProcess(
  scripts: Script[],
  isolation: Isolation,
  options: { limits?: Partial<Limits>; engine?: SnapshotLifecycleDeps["engine"] } = {},
): Promise<InProcess> {
  let asked: string[] = [];
  const lifecycle = createSnapshotLifecycle({
    engine: options.engine ?? { wasm },
    prelude,
    limits: { ...DEFAULT_LIMITS, ...options.limits },
    isolation,
    host: {
      begin() {},
      call(name, args): HostAnswer {
        asked.push([name, ...args].join("\n"));
        return { text: ANSWERS[name] };
      },
    },
    onLoading() {},
  });
  await lifecycle.load(scripts);
  return {
    lifecycle,
    asked() {
      const all = asked;
      asked = [];
      return all;
    },
  };
}
