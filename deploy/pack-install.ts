// The package as npm packs it: its files and its installation.
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { minVersion, satisfies } from "semver";
import { ROOT } from "./build.ts";
import { type Env, mkdir, output, PATH, run, say } from "./pack-run.ts";

const MAX_FILES = 60;
const DOCUMENT = /^(docs\/|README\.md$|LICENSE$|THIRD-PARTY-LICENSES$)/;
// `init/` holds what `init` writes for an author, tests included.
const TEST = /^(?!init\/).*((^|\/)tests?\/|\.test\.)/;
const SOURCE = /(?<!\.d)\.ts$/;

interface Packed {
  filename: string;
  size: number;
  unpackedSize: number;
  files: { path: string }[];
}

/** npm's data about an installed package. */
interface Installed {
  version: string;
  optional?: boolean;
  hasInstallScript?: boolean;
  engines?: { node?: string };
}

const megabytes = (bytes: number) => `${(bytes / 1_000_000).toFixed(1)} MB`;

/** Packs into a folder; returns the path of the tarball. */
export async function pack(folder: string): Promise<string> {
  const args = ["pack", "--json", "--silent", "--pack-destination", folder];
  const [packed] = JSON.parse(await output("npm", args, ROOT, { ...process.env, PATH })) as [Packed];
  const paths = packed.files.map(({ path }) => path);
  const counted = paths.filter((path) => !DOCUMENT.test(path));
  if (counted.length > MAX_FILES)
    throw new Error(`${counted.length} files beside docs, more than ${MAX_FILES}:\n${counted.join("\n")}`);
  const surplus = paths.filter((path) => TEST.test(path) || SOURCE.test(path));
  if (surplus.length > 0) throw new Error(`tests or sources are in the package:\n${surplus.join("\n")}`);
  say(
    "npm pack",
    `${counted.length} files and ${paths.length - counted.length} documents, ${megabytes(packed.size)}`,
  );
  return join(folder, packed.filename);
}

/** An environment without the settings of this npm, this home or AWS; npm's registry is kept. */
export async function emptyEnv(folder: string): Promise<Env> {
  const setting = async (name: string) =>
    (await output("npm", ["config", "get", name], ROOT, process.env)).trim();
  const kept = Object.entries(process.env).filter(([name]) => !/^(npm_|AWS_|NODE_OPTIONS$)/.test(name));
  return {
    ...Object.fromEntries(kept),
    PATH,
    HOME: mkdir(folder, "home"),
    npm_config_cache: mkdir(folder, "cache"),
    npm_config_userconfig: await setting("userconfig"),
    npm_config_registry: await setting("registry"),
    npm_config_update_notifier: "false",
  };
}

/**
 * Installs into a folder, with the dependencies. Throws for a warning, an install script, and a package for a newer
 * Node.
 */
export async function install(tarball: string, project: string, env: Env): Promise<void> {
  const started = performance.now();
  const args = ["install", "--save-dev", "--no-audit", "--no-fund", "--loglevel", "warn", tarball];
  const { code, stdout, stderr } = await run("npm", args, project, env);
  if (code !== 0 || /^npm warn/im.test(stderr)) throw new Error(`npm install: ${stdout}${stderr}`);
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  const { packages } = JSON.parse(readFileSync(`${project}/node_modules/.package-lock.json`, "utf8")) as {
    packages: Record<string, Installed>;
  };
  checkInstalled(Object.entries(packages));
  const size = megabytes(sizeOf(`${project}/node_modules`));
  const npm = (await output("npm", ["--version"], project, env)).trim();
  say("npm install", `${Object.keys(packages).length} packages, ${size}, in ${seconds} s by npm ${npm}`);
}

/** Also checks what this Node and this npm would not warn about. */
function checkInstalled(packages: [string, Installed][]): void {
  const scripted = packages.filter(([, { hasInstallScript }]) => hasInstallScript);
  if (scripted.length > 0) throw new Error(`these have install scripts: ${scripted.map(([path]) => path)}`);
  const [, own] = packages.find(([path]) => path === "node_modules/gatehook") ?? [];
  const oldest = minVersion(own?.engines?.node ?? "")?.version ?? "";
  const newer = packages.filter(([, { engines }]) => !satisfies(oldest, engines?.node ?? "*"));
  const need = newer.map(([path, { engines }]) => `${path} needs ${engines?.node}`);
  if (need.length > 0)
    throw new Error(`engines allow Node ${oldest}, which is not true:\n${need.join("\n")}`);
}

function sizeOf(folder: string): number {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .reduce((bytes, { parentPath, name }) => bytes + statSync(join(parentPath, name)).size, 0);
}
