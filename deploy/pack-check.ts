// npm run pack:check: the package as a user gets it. Packs it, installs it into an empty folder with an empty cache and
// home, and runs it there, all on the Node that runs this.
import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join, sep } from "node:path";
import { inc, minVersion, satisfies } from "semver";
import { ROOT } from "./build.ts";
import { PROJECT } from "./pack-project.ts";

const MAX_FILES = 60;
const DOCUMENT = /^(docs\/|README\.md$|LICENSE$|THIRD-PARTY-LICENSES$)/;
// `init/` holds what `init` writes for an author, tests included.
const TEST = /^(?!init\/).*((^|\/)tests?\/|\.test\.)/;
const SOURCE = /(?<!\.d)\.ts$/;
const INSTALL_SCRIPTS = ["preinstall", "install", "postinstall"];

interface Packed {
  filename: string;
  size: number;
  unpackedSize: number;
  files: { path: string }[];
}

/** What npm knows of a package that it has installed. */
interface Installed {
  version: string;
  optional?: boolean;
  hasInstallScript?: boolean;
  engines?: { node?: string };
}

type Env = Record<string, string | undefined>;

interface Ran {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** On this Node, whichever is first on the PATH. */
const PATH = `${dirname(process.execPath)}${delimiter}${process.env.PATH}`;

async function run(command: string, args: string[], cwd: string, env: Env): Promise<Ran> {
  const child = spawn(command, args, { cwd, env, stdio: ["ignore", "pipe", "pipe"] });
  const read = async (stream: NodeJS.ReadableStream) => (await Array.fromAsync(stream)).join("");
  const [stdout, stderr, code] = await Promise.all([
    read(child.stdout.setEncoding("utf8")),
    read(child.stderr.setEncoding("utf8")),
    new Promise<number | null>((resolve, reject) => child.once("close", resolve).once("error", reject)),
  ]);
  return { code, stdout, stderr };
}

/** The output of a command that has to succeed, without a warning. */
async function output(command: string, args: string[], cwd: string, env: Env): Promise<string> {
  const { code, stdout, stderr } = await run(command, args, cwd, env);
  if (code === 0 && stderr === "") return stdout;
  throw new Error(`${command} ${args.join(" ")} ended with ${code}:\n${stdout}${stderr}`);
}

const say = (what: string, found: string) => console.log(`${what.padEnd(36)}${found}`);
const megabytes = (bytes: number) => `${(bytes / 1_000_000).toFixed(1)} MB`;

/** Packs into a folder; answers where the tarball is. */
async function pack(folder: string): Promise<string> {
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

/** Without what this npm, this home or a shell that uses AWS would bring along; npm's registry is kept. */
async function emptyEnv(folder: string): Promise<Env> {
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

function mkdir(folder: string, name: string): string {
  mkdirSync(join(folder, name), { recursive: true });
  return join(folder, name);
}

async function install(tarball: string, project: string, env: Env): Promise<void> {
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

/** Also what this Node and this npm would not warn of. */
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

interface Command {
  args: string[];
  env?: Env;
  /** What it says on standard error, if it says something. */
  note?: RegExp;
  /** What is in its output; undefined where it should be something else. */
  find(stdout: string, version: string): string | undefined;
}

const first = (pattern: RegExp) => (stdout: string) => pattern.exec(stdout)?.[0];

const COMMANDS: Command[] = [
  { args: ["--version"], find: (stdout, version) => (stdout.trim() === version ? version : undefined) },
  { args: ["check"], find: first(/release \w+ would go live: 1 API\(s\), 1 script\(s\), 0 warning\(s\)/) },
  { args: ["run", "handlers/greeter.js"], find: first(/hello sample-key/) },
  { args: ["sessions", "hash", "k1"], env: { HASH_KEYS: "sha256" }, find: first(/^[0-9a-f]{64}$/m) },
  {
    args: [
      "attach",
      "--apps",
      "apis",
      "--scripts",
      "handlers",
      "--dir",
      "made",
      "--url",
      "http://127.0.0.1:3000",
    ],
    find: first(/wrote {2}gateway\/apps\/\S+/),
  },
  { args: ["dev", "--once", "--json"], find: outcomeOf },
  {
    args: [
      "webhook",
      "verify",
      "/dev/null",
      "--header",
      "webhook-id: msg_1",
      "--header",
      "webhook-timestamp: 1614265330",
      "--header",
      "webhook-signature: v1,/n9JD+QvCBymh/dplZctdnJL3Jc/7vU4siQ5cz50QYY=",
      "--tolerance",
      "1000000000",
    ],
    env: { WEBHOOK_SECRETS: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw" },
    find: first(/verified: msg_1/),
  },
];

function outcomeOf(stdout: string): string | undefined {
  const { outcome, logs, ms } = JSON.parse(stdout) as { outcome: string; logs: string[]; ms: number };
  return outcome === "done" && logs.includes("hello demo-key") ? `${outcome} in ${ms} ms` : undefined;
}

/** In a folder that `init` made, with the framework that its package.json names. */
const OWN_COMMANDS: Command[] = [
  { args: ["check"], find: first(/release \w+ would go live: 1 API\(s\), 1 script\(s\), 0 warning\(s\)/) },
  { args: ["test"], find: first(/2 tests: 2 passed/) },
  { args: ["dev", "--once", "--json"], find: (stdout) => first(/"outcome":"done"/)(stdout) },
  {
    args: ["package", "--stage", "test"],
    note: /not checked by AWS's own schemas/,
    find: first(/own-test is packaged in \S+/),
  },
];

async function runCommands(commands: Command[], project: string, version: string, env: Env): Promise<void> {
  for (const { args, env: own, note, find } of commands) {
    const gatehook = `${project}/node_modules/.bin/gatehook`;
    const { code, stdout, stderr } = await run(gatehook, args, project, { ...env, ...own });
    if (code !== 0 || !(note ?? /^$/).test(stderr))
      throw new Error(`gatehook ${args.join(" ")} ended with ${code}:\n${stdout}${stderr}`);
    const found = find(stdout, version);
    if (found === undefined) throw new Error(`gatehook ${args.join(" ")} printed something else:\n${stdout}`);
    say(`gatehook ${args.join(" ")}`, found);
  }
}

/** The author's own tests, by `gatehook/test`. */
async function runTests(project: string, count: number, env: Env): Promise<void> {
  const stdout = await output(process.execPath, ["--test", "--test-reporter=tap"], project, env);
  if (!new RegExp(`^# pass ${count}$`, "m").test(stdout))
    throw new Error(`not all of the author's tests passed:\n${stdout}`);
  say("node --test", `${count} passed`);
}

/** What a newcomer does: install, init, and what init says. */
async function runInit(tarball: string, folder: string, version: string, env: Env): Promise<string> {
  const own = mkdir(folder, "own");
  await output("npm", ["install", "--save-dev", "--silent", "--no-audit", "--no-fund", tarball], own, env);
  const init: Command = { args: ["init"], find: first(/npx gatehook dev/) };
  await runCommands([init], own, version, env);
  await output("npm", ["install", "--silent", "--no-audit", "--no-fund"], own, env);
  await runCommands(OWN_COMMANDS, own, version, env);
  await runTests(own, 2, env);
  await checkTypes(own, ["jsconfig.json"], env);
  return own;
}

/** The same with handlers in TypeScript, which the bundler of that folder makes scripts of. */
async function runTypeScript(tarball: string, folder: string, version: string, env: Env): Promise<void> {
  const own = mkdir(folder, "own-ts");
  await output("npm", ["install", "--save-dev", "--silent", "--no-audit", "--no-fund", tarball], own, env);
  await runCommands(
    [{ args: ["init", "--ts"], find: first(/handlers\/grace-period\.ts/) }],
    own,
    version,
    env,
  );
  await output("npm", ["install", "--silent", "--no-audit", "--no-fund"], own, env);
  const run: Command = { args: ["run", "handlers/grace-period.ts"], find: first(/there is no session/) };
  await runCommands([...OWN_COMMANDS.slice(0, 3), run], own, version, env);
  await runTests(own, 2, env);
  await output("npm", ["run", "--silent", "types"], own, env);
  say("npm run types", "the author's TypeScript fits the declarations");
}

/** The same package with the next version's number, in a folder that uses this one. */
async function runUpgrade(tarball: string, folder: string, own: string, version: string, env: Env) {
  const next = inc(version, "patch") ?? "";
  const unpacked = mkdir(folder, "next");
  await output("tar", ["-xzf", tarball, "-C", unpacked], folder, env);
  const file = join(unpacked, "package/package.json");
  writeFileSync(file, readFileSync(file, "utf8").replace(`"version": "${version}"`, `"version": "${next}"`));
  const pack = ["pack", "--ignore-scripts", "--silent", "--pack-destination", unpacked];
  const name = (await output("npm", pack, join(unpacked, "package"), env)).trim();
  const before = ownFiles(own);
  const install = ["install", "--save-dev", "--silent", "--no-audit", "--no-fund", join(unpacked, name)];
  await output("npm", install, own, env);
  const [newVersion, check] = COMMANDS as [Command, Command];
  await runCommands([newVersion, check], own, next, env);
  const after = ownFiles(own);
  const changed = [...new Set([...before.keys(), ...after.keys()])].filter(
    (path) => before.get(path) !== after.get(path),
  );
  if (changed.length > 0) throw new Error(`the upgrade to ${next} changed ${changed.join(", ")}`);
  say(`upgrade to ${next}`, `${after.size} files are as they were`);
}

/** What is the user's, by path; npm itself changes the version in the first two that are left out. */
function ownFiles(project: string): Map<string, string> {
  const skipped = /^(package\.json|package-lock\.json|node_modules|\.gatehook)($|\/)/;
  const files = readdirSync(project, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) =>
      join(parentPath, name)
        .slice(project.length + 1)
        .replaceAll(sep, "/"),
    )
    .filter((path) => !skipped.test(path));
  return new Map(files.map((path) => [path, readFileSync(join(project, path), "base64")]));
}

/** What an editor says of the author's files, by the declarations that the package has. */
async function checkTypes(project: string, configs: string[], env: Env): Promise<void> {
  const tsc = `${ROOT}node_modules/typescript/bin/tsc`;
  for (const config of configs) await output(process.execPath, [tsc, "-p", config], project, env);
  say("tsc", "the author's files fit the declarations");
}

async function main(): Promise<void> {
  const { version, scripts } = JSON.parse(readFileSync(`${ROOT}package.json`, "utf8")) as {
    version: string;
    scripts: Record<string, string>;
  };
  const forbidden = INSTALL_SCRIPTS.filter((name) => name in scripts);
  if (forbidden.length > 0) throw new Error(`package.json has install scripts: ${forbidden.join(", ")}`);
  const folder = mkdtempSync(join(tmpdir(), "gatehook-pack-"));
  try {
    say("node", process.versions.node);
    const tarball = await pack(folder);
    const env = await emptyEnv(folder);
    const project = mkdir(folder, "project");
    await install(tarball, project, env);
    for (const [file, text] of Object.entries(PROJECT)) {
      mkdir(project, dirname(file));
      writeFileSync(join(project, file), text);
    }
    await runCommands(COMMANDS, project, version, env);
    await runTests(project, 2, env);
    await checkTypes(project, ["jsconfig.json", "tsconfig.json"], env);
    const own = await runInit(tarball, folder, version, env);
    await runTypeScript(tarball, folder, version, env);
    await runUpgrade(tarball, folder, own, version, env);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

if (import.meta.main) {
  try {
    await main();
  } catch (thrown) {
    console.error(`pack:check: ${(thrown as Error).message}`);
    process.exitCode = 1;
  }
}
