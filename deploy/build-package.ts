// npm run build:package: dist/, as an installed package has it; `npm pack` runs it. A file stands in dist/ itself, as
// its source stands in a folder of the clone: what it looks for beside itself or one folder up is there.
import { execFileSync } from "node:child_process";
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type BuildOptions, build, type Plugin } from "esbuild";
import { type Zippable, zipSync } from "fflate";
import { addRuntime, buildFunctions, functionNames, OPTIONS, ROOT } from "./build.ts";

const DIST = `${ROOT}dist`;

/**
 * Modules that are loaded when they are needed, but together: each as a file of its own, and what any two of them share
 * as another, would be sixty files.
 */
const TOGETHER: Record<string, RegExp> = {
  // All of them load the AWS clients, and little else.
  services: /^\.\/(dlq-|sessions-|push|releases|rollback|diff)/,
  // What `run` loads while the sandbox's thread starts.
  "run-more": /^\.\/run-(folder|host|input)/,
};

const together: Plugin = {
  name: "together",
  setup({ onResolve, onLoad }) {
    const folder = `${ROOT}cli`;
    for (const [path, filter] of Object.entries(TOGETHER)) {
      const namespace = `together-${path}`;
      onResolve({ filter }, ({ kind }) => (kind === "dynamic-import" ? { path, namespace } : undefined));
      onLoad({ filter: /./, namespace }, () => ({
        contents: readdirSync(folder)
          .filter((file) => filter.test(`./${file}`))
          .map((file) => `export { ${exportsOf(`${folder}/${file}`)} } from "./${file}";`)
          .join("\n"),
        resolveDir: folder,
      }));
    }
  },
};

/** What has a name of its own in a module: the bundler refuses two of one name, where `*` would leave out both. */
function exportsOf(file: string): string[] {
  const found = readFileSync(file, "utf8").matchAll(/^export (?:async )?(?:function|const|class) (\w+)/gm);
  return [...found].map(([, name = ""]) => name);
}

/** Readable, as it is seen in the stack trace of an error that someone reports. */
const READABLE = { minifyWhitespace: false, minifySyntax: false, sourcemap: "inline" } satisfies BuildOptions;

export async function buildPackage(): Promise<void> {
  rmSync(DIST, { recursive: true, force: true });
  await Promise.all([buildCommands(), addRuntime(DIST, READABLE), zipFunctions()]);
  await declarePublic();
}

const publicModules = () => readdirSync(`${ROOT}public`).map((file) => file.replace(/\.ts$/, ""));

async function buildCommands(): Promise<void> {
  await build({
    ...OPTIONS,
    ...READABLE,
    entryPoints: {
      gatehook: "cli/gatehook.ts",
      bootstrap: "local/lambda/bootstrap.ts",
      ...Object.fromEntries(publicModules().map((name) => [name, `public/${name}.ts`])),
    },
    outdir: DIST,
    packages: "external",
    splitting: true,
    chunkNames: "[name]-[hash]",
    banner: {},
    plugins: [together],
  });
}

/** The compiler declares all that the public modules import too; each of theirs stands for itself. */
async function declarePublic(): Promise<void> {
  await inTemporaryFolder((folder) => {
    const tsc = `${ROOT}node_modules/typescript/bin/tsc`;
    execFileSync(process.execPath, [tsc, "-p", `${ROOT}deploy/tsconfig.public.json`, "--outDir", folder], {
      stdio: ["ignore", 2, 2],
    });
    for (const name of publicModules()) copyFileSync(`${folder}/public/${name}.d.ts`, `${DIST}/${name}.d.ts`);
  });
}

/** The functions as they are deployed. */
async function zipFunctions(): Promise<void> {
  await inTemporaryFolder(async (folder) => {
    await buildFunctions(folder);
    mkdirSync(`${DIST}/functions`, { recursive: true });
    for (const name of functionNames())
      writeFileSync(`${DIST}/functions/${name}.zip`, zip(folder, `dist/${name}`));
  });
}

async function inTemporaryFolder(work: (folder: string) => void | Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "gatehook-build-"));
  try {
    await work(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** A folder below another, the same bytes for the same files. */
function zip(root: string, folder: string): Uint8Array {
  const files = readdirSync(`${root}/${folder}`, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => `${parentPath.slice(root.length + 1)}/${name}`)
    .sort();
  const content: Zippable = Object.fromEntries(files.map((file) => [file, readFileSync(`${root}/${file}`)]));
  // Lambda's user has to be able to read them: a file, rw-r--r--.
  return zipSync(content, { level: 9, mtime: new Date(1980, 0, 1), os: 3, attrs: 0o100644 << 16 });
}

if (import.meta.main) await buildPackage();
