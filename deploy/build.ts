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

/** The files that the runtime reads from the folder of its bundle: lib/runtime/assets.ts and worker/jsvm/source.ts. */
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
 * Loads Node's own modules without an `import`, which would create a namespace of all exports of a module before the
 * bundle's first line; for `node:http` this loads a whole HTTP client. Only the imported names are read, so that no
 * other getter runs. `npm run bench:coldstart` compares.
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
        // Each one separately, and pure, so that unused ones are removed.
        ...names.map((name) => `export const ${name} = /* @__PURE__ */ $member("${name}")`),
      ].join(";\n");
      return { contents };
    });
  },
};

/** esbuild's options for all code that runs in Node. */
export const OPTIONS = {
  absWorkingDir: ROOT,
  bundle: true,
  format: "esm",
  platform: "node",
  // Lambda has Node 24; the same bundles run in an installed package, on the oldest Node that it allows.
  target: "node22.22",
  outExtension: { ".js": ".mjs" },
  mainFields: ["module", "main"],
  conditions: ["module"],
  // Names are kept, so that a stack trace can be read without the map.
  minifyWhitespace: true,
  minifySyntax: true,
  sourcemap: "external",
  legalComments: "none",
  define: { BUNDLED: "true" },
  // Some packages are CommonJS and load Node's modules with `require`.
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
 * Bundles each function into `dist/<name>/` of a folder, complete as for Lambda; source maps are moved to `dist-maps/`.
 * Returns the content of each.
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

/** Bundles a source file into `index.mjs`, with all files that it needs. Returns its content. */
export async function bundle(source: string, outdir: string): Promise<Metafile> {
  const { metafile, outputFiles } = await build({
    ...OPTIONS,
    plugins: [leanSdk, ...OPTIONS.plugins],
    entryPoints: { index: source },
    // Dynamically imported modules, such as most of the SDK's credential providers, are parsed only when they are
    // needed.
    splitting: true,
    chunkNames: "[name]-[hash]",
    metafile: true,
    // A chunk's name also depends on its map, whose paths begin here, so the name is the same in any output folder.
    outdir: `dist/${basename(outdir)}`,
    write: false,
  });
  checkLean(metafile);
  mkdirSync(outdir, { recursive: true });
  for (const { path, contents } of outputFiles) writeFileSync(`${outdir}/${basename(path)}`, contents);
  if ("lib/runtime/assets.ts" in metafile.inputs) await addRuntime(outdir);
  return metafile;
}

/** Adds the sandbox's thread and its files. Returns the content of the thread's bundle. */
export async function addRuntime(outdir: string, options: BuildOptions = {}): Promise<Metafile> {
  const entryPoints = { worker: "lib/runtime/worker/worker.ts" };
  const { metafile } = await build({ ...OPTIONS, entryPoints, outdir, ...options, metafile: true });
  mkdirSync(`${outdir}/jsvm`);
  for (const [to, from] of Object.entries(RUNTIME_FILES)) copyFileSync(from, `${outdir}/${to}`);
  return metafile;
}

/** Removes them from the deployed files, since Node would read them at each cold start. */
function moveMaps(from: string, to: string): void {
  mkdirSync(to, { recursive: true });
  for (const file of readdirSync(from))
    if (file.endsWith(".map")) renameSync(`${from}/${file}`, `${to}/${file}`);
}

/** Writes `<name>.zip` of each function into a folder, for deployments. */
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

/** The bundler runs in a process of its own, which would end a little after ours without this call. */
export { stop as endBuilder } from "esbuild";

// npm run build: writes them to the folder of serverless.yml's paths.
if (import.meta.main) await buildZips(`${ROOT}dist/functions`);
