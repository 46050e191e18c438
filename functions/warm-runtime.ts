import { loadAssets } from "../lib/runtime/assets.ts";
import { createStarter } from "../lib/runtime/starter.ts";
import { readRuntimeSettings } from "./runtime-settings.ts";

/** Read once, when the process starts. Throws `setting-invalid`. */
export const runtimeSettings = readRuntimeSettings(process.env);
// A history has what runs took of the clock and of random numbers.
const tellUsed = process.env.GATEHOOK_HISTORY !== undefined;
/** The one of this process. */
export const starter = createStarter({ assets: loadAssets(), ...runtimeSettings, tellUsed });
// Its thread starts with this module, so that it and the AWS SDK are loaded side by side.
starter.prepare();
