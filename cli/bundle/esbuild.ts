import { createRequire } from "node:module";
import { join } from "node:path";
import type * as Esbuild from "esbuild";
import { AppError } from "../../lib/errors.ts";

/** The functions of esbuild that are used. */
export type Bundler = Pick<typeof Esbuild, "build" | "transform">;

/**
 * The bundler that is installed in the folder, or with gatehook. It has an install script, so the package cannot depend
 * on it: authors with TypeScript or npm packages in handlers install it. Throws `release-invalid` if it is not
 * installed.
 */
export function loadBundler(folder: string, own: string = import.meta.url): Bundler {
  for (const place of [join(folder, "package.json"), own]) {
    try {
      return createRequire(place)("esbuild") as Bundler;
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code !== "MODULE_NOT_FOUND") throw cause;
    }
  }
  throw new AppError(
    "release-invalid",
    "handlers in TypeScript, and those that import, are bundled by esbuild, which is not installed: " +
      "npm install --save-dev esbuild",
  );
}
