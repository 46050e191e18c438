// The dependencies of a rerun, loaded by `dev` with the first pinned event.
import { createReruns, type Reruns } from "../../lib/history/rerun.ts";
import { loadAssets } from "../../lib/runtime/assets.ts";
import { engineId } from "../../lib/runtime/engine-id.ts";
import { targetOfSources } from "../rerun-target.ts";
import { differenceLines } from "../terminal/rerun-lines.ts";

// The names differ from those modules, since the package has all of them in one file.
/** See `differenceLines`. */
export const linesOf: typeof differenceLines = (...given) => differenceLines(...given);
/** See `targetOfSources`. */
export const targetIn: typeof targetOfSources = (sources) => targetOfSources(sources);
/** The caller closes it. */
export const open = (): Reruns => createReruns({ assets: loadAssets(), engine: engineId() });
