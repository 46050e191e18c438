import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

declare const BUNDLED: boolean | undefined;

const read = (file: string) => readFileSync(new URL(file, import.meta.url), "utf8");

/** Each file is one expression; a statement's end would close the composition. */
const expression = (file: string) => `(\n${read(file).trimEnd().replace(/;$/, "")}\n)`;

/** The source of everything that is in the sandbox before a user's script. */
export interface Prelude {
  /** A script of its own, and the first: what the engine takes to parse it is free for the rest. */
  underscore: string;
  /** One expression: a function of the host function and the limits. */
  api: string;
}

/** Where bundled, the files stand in jsvm/ beside the bundle. */
export function readPrelude(): Prelude {
  const bundled = typeof BUNDLED !== "undefined";
  const folder = bundled ? "./jsvm/" : "./";
  const underscore = bundled
    ? read("./jsvm/underscore.js")
    : readFileSync(createRequire(import.meta.url).resolve("underscore/underscore-umd-min.js"), "utf8");
  const part = (name: string) => `const ${name} = ${expression(`${folder}${name}.js`)};\n`;
  const prelude = expression(`${folder}prelude.js`);
  return {
    underscore,
    api: `(() => {\n${part("tykjs")}${part("thrown")}${part("errors")}return ${prelude};\n})()`,
  };
}
