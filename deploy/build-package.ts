// npm run build:package: dist/, as an installed package has it; `npm pack` runs it. A file is in dist/ itself, as its
// source is in a folder of the clone: what it looks for beside itself or one folder up is there.
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
 * Modules that are loaded when they are needed, but together: each as a file of its own, and what any two of them share
 * as another, would be sixty files.
 */
const TOGETHER: Record<string, RegExp> = {
  // All of them load the AWS clients, and little else.
  services:
    /^(commands\/(console|deploy|diff|dlq-\w+|eject|events-\w+|format|package|publish|push|releases|remove|replay|rollback|send|sessions-\w+|test)|dev\/(console(-\w+)?|pin-reruns)|stage\/(connect|history))\.ts$/,
  // All of them look at files, most of them with a parser.
  files: /^(commands\/(attach|check|detach|init|webhook-verify)|run-script|run-source)\.ts$/,
  // What `run` loads while the sandbox's thread starts.
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
    // So small that each of the few that need it has its own, in place of one more file.
    onResolve({ filter: /^\.{1,2}\/version\.ts$/ }, ({ importer }) => ({
      path: `${COMMANDS}/version.ts`,
      suffix: `?${basename(importer)}`,
    }));
    // Likewise the list of host calls, for what is loaded without the sandbox's thread. It has no state.
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

/** What has a name of its own in a module: the bundler refuses two of one name, where `*` would leave out both. */
function exportsOf(file: string): string[] {
  const found = readFileSync(file, "utf8").matchAll(/^export (?:async )?(?:function|const|class) (\w+)/gm);
  return [...found].map(([, name = ""]) => name);
}

/** The console's page is bundled here, where there is what bundles. */
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

/** Readable, as it is seen in the stack trace of an error that someone reports. */
const READABLE = { minifyWhitespace: false, minifySyntax: false, sourcemap: "inline" } satisfies BuildOptions;

async function buildPackage(): Promise<void> {
  rmSync(DIST, { recursive: true, force: true });
  // The functions as they are deployed.
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

/** What runs on the user's machine: its packages are installed there. */
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

/** Each is one file: what it shared with the commands would be several more. */
async function buildPublic(): Promise<void> {
  const entryPoints = Object.fromEntries(publicModules().map((name) => [name, `public/${name}.ts`]));
  await build({ ...INSTALLED, entryPoints });
}

/** The compiler declares all that the public modules import too; the declarations of these need none of it. */
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
