import { createRequire } from "node:module";
import { join } from "node:path";
import type * as Esbuild from "esbuild";
import { AppError } from "../../lib/errors.ts";

/** What is used of esbuild. */
export type Bundler = Pick<typeof Esbuild, "build" | "transform">;

/**
 * The bundler of the folder, or the one beside gatehook. It has an install script, so the package cannot depend on it:
 * authors with TypeScript or npm packages in handlers install it. Throws `release-invalid` where there is none.
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
