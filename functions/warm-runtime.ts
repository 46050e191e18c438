import { loadAssets } from "../lib/runtime/assets.ts";
import { createStarter } from "../lib/runtime/starter.ts";
import { once } from "./once.ts";
import { readRuntimeSettings } from "./runtime-settings.ts";

/**
 * The runtimes of this process, and their settings. The first call starts a thread, so that it and what is loaded after
 * the call start side by side. Throws `setting-invalid`.
 */
export const warmRuntime = once(() => {
  const settings = readRuntimeSettings(process.env);
  // A history has what runs took of the clock and of random numbers.
  const tellUsed = process.env.GATEHOOK_HISTORY !== undefined;
  const starter = createStarter({ assets: loadAssets(), ...settings, tellUsed });
  starter.prepare();
  return { settings, starter };
});
