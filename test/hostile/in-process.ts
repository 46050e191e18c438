import { loadAssets } from "../../lib/runtime/assets.ts";
import type { HostAnswer } from "../../lib/runtime/host-function.ts";
import { readPrelude } from "../../lib/runtime/jsvm/source.ts";
import { createKeeper, type Keeper, type KeeperDeps } from "../../lib/runtime/keeper.ts";
import { DEFAULT_LIMITS, type Isolation, type Limits, type Script } from "../../lib/runtime/protocol.ts";

const { wasm } = loadAssets();
const prelude = readPrelude();

/** A sandbox in this thread, for what needs no hard end: what scripts ask of the host is answered at once. */
export interface InProcess {
  keeper: Keeper;
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
  options: { limits?: Partial<Limits>; engine?: KeeperDeps["engine"] } = {},
): Promise<InProcess> {
  let asked: string[] = [];
  const keeper = createKeeper({
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
  await keeper.load(scripts);
  return {
    keeper,
    asked() {
      const all = asked;
      asked = [];
      return all;
    },
  };
}
