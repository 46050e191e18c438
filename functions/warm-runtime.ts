import { loadAssets } from "../lib/runtime/assets.ts";
import { createStarter } from "../lib/runtime/starter.ts";
import { readRuntimeSettings } from "./runtime-settings.ts";

export const runtimeSettings = readRuntimeSettings(process.env);
export const starter = createStarter({ assets: loadAssets(), ...runtimeSettings });
// Its thread starts with this module, so that it and the AWS SDK are loaded side by side.
starter.prepare();
