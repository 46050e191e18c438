// npm run build:package: builds dist/ of the package; `npm pack` runs it. Bundles are directly in dist/, as their
// sources are in a folder of the clone: so relative paths to files beside them and one folder up are valid in both.
import { execFileSync } from "node:child_process";
import { copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join, relative } from "node:path";
import { type BuildOptions, build, type Plugin } from "esbuild";
import { projectSchema } from "../lib/settings/json-schema.ts";
import { HTML, loadPage } from "../local/console/page.ts";
import { addRuntime, buildZips, endBuilder, OPTIONS, ROOT } from "./build.ts";

const DIST = `${ROOT}dist`;

/**
 * Groups of modules that are loaded on demand: with a file for each module, and for each shared part of two, there
 * would be sixty files.
 */
const TOGETHER: Record<string, RegExp> = {
  // All of them load the AWS clients, and little else.
  services:
    /^(commands\/(console|deploy|diff|dlq-\w+|eject|events-\w+|format|package|publish|push|releases|remove|replay|rollback|send|sessions-\w+|test)|dev\/(console(-\w+)?|pin-reruns)|stage\/(connect|history))\.ts$/,
  // All of them read files, most of them with a parser.
  files: /^(commands\/(attach|check|detach|init|webhook-verify)|run-script|run-source)\.ts$/,
  // The modules that `run` loads while the sandbox's thread starts.
  "run-more": /^run-(folder|host|input)\.ts$/,
};

const COMMANDS = `${ROOT}cli`;

const together: Plugin = {
  name: "together",
  setup({ onResolve, onLoad }) {
    // Only a clone builds functions.
    onResolve({ filter: /^\.\/kept-zips\.ts$/ }, ({ path, kind }) =>
      kind === "dynamic-import" ? { path, external: true } : undefined,
    );
    // So small that each of its few users contains a copy, instead of one more file.
    onResolve({ filter: /^\.{1,2}\/version\.ts$/ }, ({ importer }) => ({
      path: `${COMMANDS}/version.ts`,
      suffix: `?${basename(importer)}`,
    }));
    // The same for the list of host calls, for modules that are loaded without the sandbox's thread. It has no state.
    onResolve({ filter: /^\.\.\/runtime\/protocol\.ts$/ }, ({ importer }) =>
      /\/lib\/(tyk-api\/host|history\/(redact|replay-host))\.ts$/.test(importer)
        ? { path: `${ROOT}lib/runtime/protocol.ts`, suffix: `?${basename(importer)}` }
        : undefined,
    );
    onResolve({ filter: /^\.{1,2}\/.*\.ts$/ }, ({ path, kind, resolveDir }) => {
      if (kind !== "dynamic-import") return undefined;
      const file = relative(COMMANDS, join(resolveDir, path));
      const group = Object.keys(TOGETHER).find((name) => TOGETHER[name]?.test(file));
      return group ? { path: group, namespace: "together" } : undefined;
    });
    onLoad({ filter: /./, namespace: "together" }, ({ path: group }) => ({
      contents: readdirSync(COMMANDS, { recursive: true, encoding: "utf8" })
        .filter((file) => TOGETHER[group]?.test(file))
        .map((file) => `export { ${exportsOf(`${COMMANDS}/${file}`)} } from "./${file}";`)
        .join("\n"),
      resolveDir: COMMANDS,
    }));
  },
};

/** The named exports of a module: the bundler rejects duplicate names, while `*` would omit both. */
function exportsOf(file: string): string[] {
  const found = readFileSync(file, "utf8").matchAll(/^export (?:async )?(?:function|const|class) (\w+)/gm);
  return [...found].map(([, name = ""]) => name);
}

/** The console's page is bundled here, where the bundler is installed. */
const bundledPage: Plugin = {
  name: "bundled-page",
  setup({ onLoad }) {
    onLoad({ filter: /\/local\/console\/page\.ts$/ }, async () => ({
      contents: `
        export const HTML = ${JSON.stringify(HTML)};
        const PAGE = ${JSON.stringify(await loadPage())};
        export const loadPage = async () => PAGE;
      `,
    }));
  },
};

/** Readable, since it appears in stack traces of error reports. */
const READABLE = { minifyWhitespace: false, minifySyntax: false, sourcemap: "inline" } satisfies BuildOptions;

async function buildPackage(): Promise<void> {
  rmSync(DIST, { recursive: true, force: true });
  // The functions for deployments.
  await Promise.all([
    buildCommands(),
    buildPublic(),
    addRuntime(DIST, READABLE),
    buildZips(`${DIST}/functions`),
  ]);
  writeFileSync(`${DIST}/gatehook.schema.json`, `${JSON.stringify(projectSchema(), undefined, 2)}\n`);
  await declarePublic();
}

const publicModules = () => readdirSync(`${ROOT}public`).map((file) => file.replace(/\.ts$/, ""));

/** The options for code on the user's machine, where its packages are installed. */
const INSTALLED = {
  ...OPTIONS,
  ...READABLE,
  outdir: DIST,
  packages: "external",
  banner: {},
  plugins: [],
} satisfies BuildOptions;

async function buildCommands(): Promise<void> {
  const entryPoints = { gatehook: "cli/gatehook.ts", bootstrap: "local/lambda/bootstrap.ts" };
  const chunkNames = "[name]-[hash]";
  await build({ ...INSTALLED, entryPoints, splitting: true, chunkNames, plugins: [together, bundledPage] });
}

/** Each is one file: sharing code with the commands would result in several more. */
async function buildPublic(): Promise<void> {
  const entryPoints = Object.fromEntries(publicModules().map((name) => [name, `public/${name}.ts`]));
  await build({ ...INSTALLED, entryPoints });
}

/** The compiler also writes declarations of all imported modules, which those of the public modules do not need. */
async function declarePublic(): Promise<void> {
  await inTemporaryFolder((folder) => {
    const tsc = `${ROOT}node_modules/typescript/bin/tsc`;
    execFileSync(process.execPath, [tsc, "-p", `${ROOT}deploy/tsconfig.public.json`, "--outDir", folder], {
      stdio: ["ignore", 2, 2],
    });
    for (const name of publicModules()) copyFileSync(`${folder}/public/${name}.d.ts`, `${DIST}/${name}.d.ts`);
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

if (import.meta.main) {
  await buildPackage();
  await endBuilder();
}
