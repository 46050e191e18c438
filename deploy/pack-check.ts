// npm run pack:check: the package as a user gets it. Packs it, installs it into an empty folder with an empty cache and
// home, and runs it there, all on the Node that runs this.
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, sep } from "node:path";
import { inc } from "semver";
import { ROOT } from "./build.ts";
import { emptyEnv, install, pack } from "./pack-install.ts";
import { PROJECT } from "./pack-project.ts";
import { type Env, mkdir, output, run, say } from "./pack-run.ts";

const INSTALL_SCRIPTS = ["preinstall", "install", "postinstall"];

interface Command {
  args: string[];
  env?: Env;
  /** The expected text on standard error, if any. */
  note?: RegExp;
  /** The expected part of its output; undefined if the output is wrong. */
  find(stdout: string, version: string): string | undefined;
}

const first = (pattern: RegExp) => (stdout: string) => pattern.exec(stdout)?.[0];

const COMMANDS: Command[] = [
  { args: ["--version"], find: (stdout, version) => (stdout.trim() === version ? version : undefined) },
  { args: ["check"], find: first(/release \w+ would go live: 1 API, 1 script, 0 warnings/) },
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

/** Commands for a folder of `init`, with the framework of its package.json. */
const OWN_COMMANDS: Command[] = [
  { args: ["check"], find: first(/release \w+ would go live: 1 API, 1 script, 0 warnings/) },
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

/** The first steps of a new user: install, init, and the commands that init prints. */
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

/** The same with handlers in TypeScript, which the folder's bundler bundles. */
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

/** The user's files by path; of the omitted ones, npm itself changes the version in the first two. */
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

/** Checks the author's files as an editor does, with the package's declarations. */
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
