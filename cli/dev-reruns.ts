// What a rerun needs, loaded by `dev` with the first pinned event.
import { createReruns, type Reruns } from "../lib/history/rerun.ts";
import { loadAssets } from "../lib/runtime/assets.ts";
import { engineId } from "../lib/runtime/engine-id.ts";

export { differenceLines as linesOf } from "./rerun-lines.ts";
export { targetOfSources } from "./rerun-target.ts";

export const open = (): Reruns => createReruns({ assets: loadAssets(), engine: engineId() });
