// npm run build:package: dist/, as an installed package has it; `npm pack` runs it. A file stands in dist/ itself, as
// its source stands in a folder of the clone: what it looks for beside itself or one folder up is there.
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type BuildOptions, build, type Plugin } from "esbuild";
import { type Zippable, zipSync } from "fflate";
import { addRuntime, buildFunctions, functionNames, OPTIONS, ROOT } from "./build.ts";

const DIST = `${ROOT}dist`;

/**
 * Commands of one file: all of them load the AWS clients, and little else. Each as a file of its own, with what any two
 * of them share as another, would be sixty files.
 */
const SERVICE_COMMANDS = /^\.\/(dlq-|sessions-|push|releases|rollback|diff)/;

const serviceCommands: Plugin = {
  name: "service-commands",
  setup({ onResolve, onLoad }) {
    const folder = `${ROOT}cli`;
    onResolve({ filter: SERVICE_COMMANDS }, ({ kind }) =>
      kind === "dynamic-import" ? { path: "services", namespace: "commands" } : undefined,
    );
    onLoad({ filter: /./, namespace: "commands" }, () => ({
      contents: readdirSync(folder)
        .filter((file) => SERVICE_COMMANDS.test(`./${file}`))
        .map((file) => `export { ${exportsOf(`${folder}/${file}`)} } from "./${file}";`)
        .join("\n"),
      resolveDir: folder,
    }));
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
}

async function buildCommands(): Promise<void> {
  await build({
    ...OPTIONS,
    ...READABLE,
    entryPoints: { gatehook: "cli/gatehook.ts", bootstrap: "local/lambda/bootstrap.ts" },
    outdir: DIST,
    packages: "external",
    splitting: true,
    chunkNames: "[name]-[hash]",
    banner: {},
    plugins: [serviceCommands],
  });
}

/** The functions as they are deployed. */
async function zipFunctions(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "gatehook-build-"));
  try {
    await buildFunctions(folder);
    mkdirSync(`${DIST}/functions`, { recursive: true });
    for (const name of functionNames())
      writeFileSync(`${DIST}/functions/${name}.zip`, zip(folder, `dist/${name}`));
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
