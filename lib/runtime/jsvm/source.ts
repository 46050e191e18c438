import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

declare const BUNDLED: boolean | undefined;

const read = (file: string) => readFileSync(new URL(file, import.meta.url), "utf8");

/** Each file is one expression; a statement's end would close the composition. */
const expression = (file: string) => `(\n${read(file).trimEnd().replace(/;$/, "")}\n)`;

/**
 * The source of everything that is in the sandbox before a user's script: one expression, a function of the host
 * function and the limits. Where bundled, the files stand in jsvm/ beside the bundle.
 */
export function readPrelude(): string {
  const bundled = typeof BUNDLED !== "undefined";
  const folder = bundled ? "./jsvm/" : "./";
  const underscore = bundled
    ? read("./jsvm/underscore.js")
    : readFileSync(createRequire(import.meta.url).resolve("underscore/underscore-umd-min.js"), "utf8");
  const tykjs = expression(`${folder}tykjs.js`);
  return `(() => {\n${underscore}\nconst tykjs = ${tykjs};\nreturn ${expression(`${folder}prelude.js`)};\n})()`;
}
