import { cpSync } from "node:fs";
import { fileURLToPath } from "node:url";

// The only module with the paths of the parts of a service: in a clone, and in an installed package, where this file is
// in dist/ with the functions' zips.

declare const BUNDLED: boolean | undefined;

const ROOT = fileURLToPath(new URL("..", import.meta.url));

/** The serverless.yml of this package. */
export const DEFINITION_FILE = `${ROOT}serverless.yml`;
/** The folder of the files that serverless.yml includes. */
export const INFRA_FOLDER = `${ROOT}infra`;
/** The folder of the zips in serverless.yml. */
export const ZIPS_FOLDER = "dist/functions";

/** Copies `<name>.zip` of each function into a folder. A clone builds them. */
export async function putZips(folder: string): Promise<void> {
  if (typeof BUNDLED !== "undefined") {
    cpSync(fileURLToPath(new URL("./functions", import.meta.url)), folder, { recursive: true });
    return;
  }
  const { putBuiltZips } = await import("./kept-zips.ts");
  await putBuiltZips(folder);
}
