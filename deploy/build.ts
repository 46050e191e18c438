import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createRequire, isBuiltin } from "node:module";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { type BuildOptions, build, type Metafile, type Plugin } from "esbuild";
import { checkLean, leanSdk } from "./sdk.ts";
import { zip } from "./zip.ts";

/** The folder of the clone, with a slash at its end. */
export const ROOT = fileURLToPath(new URL("..", import.meta.url));

const { resolve } = createRequire(import.meta.url);

/** What the runtime reads from beside its bundle: lib/runtime/assets.ts and worker/jsvm/source.ts. */
export const RUNTIME_FILES = {
  "emscripten-module.wasm": createRequire(import.meta.resolve("quickjs-emscripten")).resolve(
    "@jitl/quickjs-wasmfile-release-sync/wasm",
  ),
  "jsvm/errors.js": `${ROOT}lib/runtime/worker/jsvm/errors.js`,
  "jsvm/prelude.js": `${ROOT}lib/runtime/worker/jsvm/prelude.js`,
  "jsvm/thrown.js": `${ROOT}lib/runtime/worker/jsvm/thrown.js`,
  "jsvm/tykjs.js": `${ROOT}lib/runtime/worker/jsvm/tykjs.js`,
  "jsvm/underscore.js": resolve("underscore/underscore-umd-min.js"),
};

/**
 * Node's own modules without an `import`: that would make, before the bundle's first line, a namespace of all that a
 * module exports, and for `node:http` this loads a whole HTTP client of its own. What is imported by name is taken by
 * name, so that no other getter runs. `npm run bench:coldstart` compares.
 */
const builtins: Plugin = {
  name: "builtins",
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^(node:)?[a-z_/]+$/ }, ({ path, kind }) => {
      if (!isBuiltin(path)) return undefined;
      return {
        path,
        namespace: kind === "import-statement" ? "builtin" : "builtin-whole",
        sideEffects: false,
      };
    });
    const taken = (path: string) => `process.getBuiltinModule(${JSON.stringify(path)})`;
    onLoad({ filter: /./, namespace: "builtin-whole" }, ({ path }) => ({
      contents: `module.exports = ${taken(path)}`,
    }));
    onLoad({ filter: /./, namespace: "builtin" }, ({ path }) => {
      const names = Object.keys(process.getBuiltinModule(path) ?? {}).filter((name) => name !== "default");
      const contents = [
        `const $module = /* @__PURE__ */ ${taken(path)}`,
        "const $member = (name) => $module[name]",
        "export default $module",
        // Each on its own, and pure, so that those that nobody imports are left out.
        ...names.map((name) => `export const ${name} = /* @__PURE__ */ $member("${name}")`),
      ].join(";\n");
      return { contents };
    });
  },
};

/** esbuild's options for all that runs in Node. */
export const OPTIONS = {
  absWorkingDir: ROOT,
  bundle: true,
  format: "esm",
  platform: "node",
  // Lambda has Node 24; the same bundles run where a package is installed, on the oldest Node that it allows.
  target: "node22.22",
  outExtension: { ".js": ".mjs" },
  mainFields: ["module", "main"],
  conditions: ["module"],
  // Names stay, so that a stack trace can be read without the map.
  minifyWhitespace: true,
  minifySyntax: true,
  sourcemap: "external",
  legalComments: "none",
  define: { BUNDLED: "true" },
  // Some packages are CommonJS and ask for Node's modules by `require`.
  banner: {
    js: 'const require=process.getBuiltinModule("node:module").createRequire(import.meta.url);',
  },
  logLevel: "warning",
  plugins: [builtins],
} satisfies BuildOptions;

/** Every module of functions/ that exports `main`. */
export function functionNames(): string[] {
  return readdirSync(`${ROOT}functions`)
    .filter((file) => /^export const main\b/m.test(readFileSync(`${ROOT}functions/${file}`, "utf8")))
    .map((file) => file.replace(/\.ts$/, ""));
}

/**
 * Bundles each function into `dist/<name>/` of a folder, whole as Lambda gets it; its source maps go to `dist-maps/`.
 * Answers what is in each.
 */
export async function buildFunctions(folder: string): Promise<Metafile[]> {
  for (const out of ["dist", "dist-maps"]) rmSync(`${folder}/${out}`, { recursive: true, force: true });
  return await Promise.all(
    functionNames().map(async (name) => {
      const entry = `deploy/entries/${name}.ts`;
      const source = existsSync(`${ROOT}${entry}`) ? entry : `functions/${name}.ts`;
      const metafile = await bundle(source, `${folder}/dist/${name}`);
      moveMaps(`${folder}/dist/${name}`, `${folder}/dist-maps/${name}`);
      return metafile;
    }),
  );
}

/** Makes `index.mjs` of a source file, with all that it needs beside it. Answers what is in it. */
export async function bundle(source: string, outdir: string): Promise<Metafile> {
  const { metafile, outputFiles } = await build({
    ...OPTIONS,
    plugins: [leanSdk, ...OPTIONS.plugins],
    entryPoints: { index: source },
    // What is imported when it is needed, such as most of the SDK's ways to credentials, is parsed when it is needed.
    splitting: true,
    chunkNames: "[name]-[hash]",
    metafile: true,
    // A chunk's name comes from its map too, whose paths begin here: the name is the same wherever it is written.
    outdir: `dist/${basename(outdir)}`,
    write: false,
  });
  checkLean(metafile);
  mkdirSync(outdir, { recursive: true });
  for (const { path, contents } of outputFiles) writeFileSync(`${outdir}/${basename(path)}`, contents);
  if ("lib/runtime/assets.ts" in metafile.inputs) await addRuntime(outdir);
  return metafile;
}

/** The sandbox's thread and what it reads. Answers what is in the thread's bundle. */
export async function addRuntime(outdir: string, options: BuildOptions = {}): Promise<Metafile> {
  const entryPoints = { worker: "lib/runtime/worker/worker.ts" };
  const { metafile } = await build({ ...OPTIONS, entryPoints, outdir, ...options, metafile: true });
  mkdirSync(`${outdir}/jsvm`);
  for (const [to, from] of Object.entries(RUNTIME_FILES)) copyFileSync(from, `${outdir}/${to}`);
  return metafile;
}

/** Out of what is deployed: Node would read them at each cold start. */
function moveMaps(from: string, to: string): void {
  mkdirSync(to, { recursive: true });
  for (const file of readdirSync(from))
    if (file.endsWith(".map")) renameSync(`${from}/${file}`, `${to}/${file}`);
}

/** Makes `<name>.zip` of each function in a folder, as they are deployed. */
export async function buildZips(out: string): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "gatehook-build-"));
  try {
    await buildFunctions(folder);
    mkdirSync(out, { recursive: true });
    for (const name of functionNames()) writeFileSync(`${out}/${name}.zip`, zip(folder, `dist/${name}`));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** The bundler works in a process of its own, which ends a little after ours: not so, once this is done. */
export { stop as endBuilder } from "esbuild";

// npm run build: where serverless.yml looks for them.
if (import.meta.main) await buildZips(`${ROOT}dist/functions`);
