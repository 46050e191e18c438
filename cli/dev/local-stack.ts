import { readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { dirname, join, resolve } from "node:path";
import { AppError, errorText } from "../../lib/errors.ts";
import { FUNCTION_SETTINGS, type FunctionSetting } from "../../lib/settings/function-settings.ts";
import { isSecret } from "../../lib/settings/setting.ts";
import { makeStateFolder, STATE_FOLDER } from "../../local/state-folder.ts";
import { printError } from "../terminal/print.ts";
import { UsageError } from "../terminal/usage.ts";

/** The file of `gatehook dev` for commands in other terminals, readable only by its user. */
export interface LocalStack {
  url: string;
  pid: number;
  /**
   * The environment that connects a command: endpoints and names. Its only credentials are the placeholders of the
   * stack.
   */
  env: Record<string, string>;
}

const FILE = "local.json";

const fileIn = (dir: string) => join(dir, STATE_FOLDER, FILE);

/** Returns a function that removes it, unless another stack has replaced it. */
export async function writeLocalStack(dir: string, stack: LocalStack): Promise<() => Promise<void>> {
  const file = fileIn(dir);
  makeStateFolder(dirname(file));
  const fresh = `${file}.${stack.pid}`;
  const text = JSON.stringify({ ...stack, env: shared(stack.env) }, null, 2);
  // Never seen half written, and with these rights from the start.
  await rm(fresh, { force: true });
  await writeFile(fresh, `${text}\n`, { mode: 0o600, flag: "wx" });
  await rename(fresh, file);
  return async () => {
    const found = await readStack(file).catch(() => undefined);
    if (found?.pid === stack.pid) await rm(file, { force: true }).catch(() => {});
  };
}

/** The stack that runs in exactly this folder, if any. */
export async function liveStackIn(dir: string): Promise<LocalStack | undefined> {
  const found = await readStack(fileIn(dir));
  return found && (await isAlive(found)) ? found : undefined;
}

/** The stack that runs in this folder or in the nearest parent folder, with its folder. Throws `local-failed`. */
export async function findLiveStack(dir: string): Promise<{ dir: string; stack: LocalStack }> {
  const found = await findStack(resolve(dir));
  if (found && (await isAlive(found.stack))) return found;
  throw missing(resolve(dir), found?.dir);
}

/**
 * The local stack for a command. `dir`: the folder in which, and above which, it is searched; the working directory by
 * default.
 */
export interface LocalOptions {
  /** Uses the local stack, whatever the environment says. */
  local?: boolean;
  dir?: string;
}

/**
 * Sets the environment to that of the local stack, if it was requested, or if the environment does not name another
 * stack and a local one is running. Throws `local-failed` if it was requested but is not running, and a UsageError if
 * there is no stack that a command could reach.
 */
export async function connectLocal({ local = false, dir = "." }: LocalOptions): Promise<void> {
  if (!local && namesServices(process.env)) return;
  const start = resolve(dir);
  const found = await findStack(start);
  if (found && (await isAlive(found.stack))) {
    const problem = strangeAddress(found.stack.env, process.env);
    if (problem) throw new AppError("local-failed", `${fileIn(found.dir)}: ${problem}`);
    setEnvironment(found.stack.env);
    printError(`local stack at ${found.stack.url}`);
  } else if (local) throw missing(start, found?.dir);
  // sessions hash reads only HASH_KEYS.
  else if (!process.env.HASH_KEYS?.trim())
    throw new UsageError(
      `no stack to reach: start one with gatehook dev in ${start}, or name a deployed one with --stage; ` +
        "or set AWS_REGION and the names of its resources (docs/settings.md)",
    );
}

function missing(start: string, dir: string | undefined): AppError {
  const what = dir
    ? `the local stack of ${dir} has ended`
    : `there is no local stack of ${start} or of a folder above it`;
  const how = `start it in another terminal: npx gatehook dev${dir ? ` --dir ${dir}` : ""}`;
  return new AppError("local-failed", `${what}: ${how}`);
}

/** The variables that determine the stack of a command. */
const NAMES =
  /^(?:AWS_(?:DEFAULT_)?(?:REGION|PROFILE)|AWS_ENDPOINT_URL.*|(?:EVENTS|SYNC|(?:SYNC_)?DEAD_LETTERS)_QUEUE_URL|(?:SESSIONS|STATE)_TABLE|FILES_BUCKET)$/;

const namesServices = (env: NodeJS.ProcessEnv) =>
  Object.entries(env).some(([name, value]) => value && NAMES.test(name));

const ENDPOINTS = ["DYNAMODB", "SQS", "S3"].map((service) => `AWS_ENDPOINT_URL_${service}`);
/** SQS's client sends to the address of the queue, whatever its endpoint is. */
const ADDRESS = /^AWS_ENDPOINT_URL|_QUEUE_URL$/;
const THIS_MACHINE = /^(?:127\.\d+\.\d+\.\d+|\[::1\]|(?:[\w-]+\.)*localhost(?:\.localstack\.cloud)?)$/;

const originOf = (address: string | undefined) => URL.parse(address ?? "")?.origin;

const isOnThisMachine = (address: string | undefined) =>
  THIS_MACHINE.test(URL.parse(address ?? "")?.hostname ?? "");

/**
 * The problem with an address in a file that may have come with somebody else's folder: a command would send sessions
 * and events there, or the gateway's secret. Addresses that this terminal's environment has too are the user's own.
 */
function strangeAddress(env: LocalStack["env"], own: NodeJS.ProcessEnv): string | undefined {
  const addresses = [...new Set([...ENDPOINTS, ...Object.keys(env).filter((name) => ADDRESS.test(name))])];
  const isOwn = (name: string) =>
    [own[name], own.AWS_ENDPOINT_URL, own.AWS_ENDPOINT_URL_SQS].some(
      (known) => known && originOf(known) === originOf(env[name]),
    );
  const isGood = (name: string) => isOnThisMachine(env[name]) || isOwn(name);
  const strange = addresses.find((name) => !isGood(name));
  if (strange)
    return `${strange} is not an address of this machine: if it is a service of your own, set the variable in this terminal too`;
  if (own.GATEWAY_SECRET?.trim() && env.GATEWAY_URL !== undefined && !isGood("GATEWAY_URL"))
    return "GATEWAY_SECRET of this terminal is sent to no gateway that only this file names: set GATEWAY_URL in this terminal too";
  return undefined;
}

function setEnvironment(env: LocalStack["env"]): void {
  if (env.AWS_ACCESS_KEY_ID) {
    // A profile or session token of the user would take precedence over the stack's credentials.
    for (const name of ["AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SESSION_TOKEN"]) delete process.env[name];
  }
  Object.assign(process.env, env);
}

async function findStack(start: string): Promise<{ dir: string; stack: LocalStack } | undefined> {
  for (let dir = start; ; dir = dirname(dir)) {
    const stack = await readStack(fileIn(dir));
    if (stack) return { dir, stack };
    if (dir === dirname(dir)) return undefined;
  }
}

/** Only a file of this user: in a folder with write access for others, it could contain any address. */
async function readStack(file: string): Promise<LocalStack | undefined> {
  try {
    const { uid } = await stat(file);
    if (process.getuid && uid !== process.getuid()) return undefined;
    return parseStack(await readFile(file, "utf8"));
  } catch (thrown) {
    const { code } = thrown as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR" || code === "EACCES") return undefined;
    throw new AppError(
      "local-failed",
      `${file}: ${errorText(thrown)}: remove it, and start the stack again`,
      {
        cause: thrown,
      },
    );
  }
}

const LOOPBACK = /^http:\/\/127\.0\.0\.1:\d{1,5}$/;

function parseStack(text: string): LocalStack {
  const { url, pid, env } = JSON.parse(text) as Partial<LocalStack>;
  const isEnv = typeof env === "object" && env !== null && Object.entries(env).every(isSetting);
  if (!LOOPBACK.test(url ?? "") || !Number.isInteger(pid) || Number(pid) < 1 || !isEnv)
    throw new Error("it is not what gatehook dev writes");
  return { url: url ?? "", pid: Number(pid), env: shared(env) };
}

const SETTINGS: Record<string, FunctionSetting> = FUNCTION_SETTINGS;
const AWS =
  /^AWS_(?:REGION|ACCESS_KEY_ID|SECRET_ACCESS_KEY|SESSION_TOKEN|ENDPOINT_URL_(?:DYNAMODB|DYNAMODB_STREAMS|SQS|S3))$/;

/**
 * What a command needs of a stack's environment, and no secret. A file that came with a folder of somebody else must not
 * set anything more, such as EDITOR.
 */
function shared(env: LocalStack["env"]): LocalStack["env"] {
  const isShared = (name: string) => {
    const setting = Object.hasOwn(SETTINGS, name) ? SETTINGS[name] : undefined;
    return setting ? !isSecret(setting) : AWS.test(name);
  };
  return Object.fromEntries(Object.entries(env).filter(([name]) => isShared(name)));
}

const isSetting = ([name, value]: [string, unknown]) =>
  /^[A-Z][A-Z0-9_]*$/.test(name) && typeof value === "string";

const ANSWER_MS = 1_000;

async function isAlive({ url, pid }: LocalStack): Promise<boolean> {
  try {
    process.kill(pid, 0);
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === "ESRCH") return false;
  }
  // The process with this id may be a different one. An HTTP request would be visible in that terminal.
  const { hostname, port } = new URL(url);
  const socket = connect({ host: hostname, port: Number(port), timeout: ANSWER_MS });
  const isThere = new Promise<boolean>((resolve) => {
    socket.once("connect", () => resolve(true));
    for (const event of ["error", "timeout"]) socket.once(event, () => resolve(false));
  });
  return isThere.finally(() => socket.destroy());
}
