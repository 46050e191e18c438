import { loadAssets } from "../lib/runtime/assets.ts";
import { createStarter } from "../lib/runtime/starter.ts";
import { once } from "./once.ts";
import { readRuntimeSettings } from "./runtime-settings.ts";

/**
 * The runtimes of this process, and their settings. The first call starts a thread, which starts in parallel with the
 * modules that are loaded after the call. Throws `setting-invalid`.
 */
export const warmRuntime = once(() => {
  const settings = readRuntimeSettings(process.env);
  // A history records the times and random numbers of runs.
  const tellUsed = process.env.GATEHOOK_HISTORY !== undefined;
  const starter = createStarter({ assets: loadAssets(), ...settings, tellUsed });
  starter.prepare();
  return { settings, starter };
});
