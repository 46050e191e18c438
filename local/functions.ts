import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { unzipSync } from "fflate";
import { AppError, errorText } from "../lib/errors.ts";
import type { LocalFunctionOptions } from "./lambda/lambda.ts";

/** The functions' code: in a clone their sources, in an installed package the zips for deployments. */
export interface Functions {
  /** The start options of a function. */
  find(name: string): Pick<LocalFunctionOptions, "handler" | "taskRoot" | "moduleEnding">;
  close(): Promise<void>;
}

declare const BUNDLED: boolean | undefined;

/**
 * In a package, the zips are unpacked into a temporary folder, which `close` removes. Throws `local-failed` if this
 * fails.
 */
export async function openFunctions(): Promise<Functions> {
  return typeof BUNDLED === "undefined" ? SOURCES : unpackedFunctions();
}

const SOURCES: Functions = {
  find: (name) => ({
    handler: `functions/${name}.main`,
    taskRoot: fileURLToPath(new URL("..", import.meta.url)),
    moduleEnding: ".ts",
  }),
  async close() {},
};

async function unpackedFunctions(): Promise<Functions> {
  const taskRoot = await mkdtemp(join(tmpdir(), "gatehook-functions-")).catch((cause) => {
    const message = `the functions cannot be unpacked: ${errorText(cause)}. Set TMPDIR to a folder that can be written`;
    throw new AppError("local-failed", message, { cause });
  });
  const unpacked = new Set<string>();
  return {
    find(name) {
      if (!unpacked.has(name))
        unzip(fileURLToPath(new URL(`./functions/${name}.zip`, import.meta.url)), taskRoot);
      unpacked.add(name);
      return { handler: `dist/${name}/index.main`, taskRoot, moduleEnding: ".mjs" };
    },
    close: () => rm(taskRoot, { recursive: true }),
  };
}

/** Unpacks a zip into a folder. Only for our own zips: paths in it are not checked. */
export function unzip(zip: string, folder: string): void {
  for (const [path, bytes] of Object.entries(unzipSync(readFileSync(zip)))) {
    if (path.endsWith("/")) continue;
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), bytes);
  }
}
