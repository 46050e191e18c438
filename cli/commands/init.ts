import { mkdir, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { basename, dirname, join, relative, resolve } from "node:path";
import { errorText } from "../../lib/errors.ts";
import { SERVICE_NAME } from "../../lib/settings/forms.ts";
import { type Folders, placeIn } from "../../lib/settings/project.ts";
import { placesOf } from "../gateway-files.ts";
import { gatewayIn } from "../gateway-folder.ts";
import { completedPackage } from "../init-package.ts";
import { TEMPLATES } from "../init-templates.ts";
import { readProject } from "../project.ts";
import { putFiles } from "../put-files.ts";
import { sayAttached, sayCommands } from "../terminal/attach-lines.ts";
import { print, printJson } from "../terminal/print.ts";
import { UsageError } from "../terminal/usage.ts";
import { prepareAttach } from "./attach.ts";

/** The files of a new folder, with names that npm does not change. */
const RENAMED: Record<string, string> = { "github/check.yml": ".github/workflows/check.yml" };
/** As a template file, npm would interpret it as its own `.gitignore`. */
const IGNORED = "node_modules/\n.gatehook/\n";
/** Only for a folder without definitions and handlers: others need no sample. */
const SAMPLES = /^(apis|handlers|tests?)\//;
/** The folder's name in the templates, which gatehook.json may change. */
const HANDLERS = /(?<=")handlers(?=["/])/g;

/** The result by path, as printed by `--json`. */
interface InitReport {
  dir: string;
  written: string[];
  /** Files that existed, and were not changed. */
  kept: string[];
}

/** The options of `gatehook init`. */
export interface InitOptions {
  json?: boolean;
  /** A gateway's folder, whose handlers replace the sample. */
  tyk?: string;
  /** The URL to which that gateway sends its events. */
  url: string;
  /** Handlers in TypeScript. */
  ts?: boolean;
}

/** `gatehook init`: creates a user's folder with a working handler. Existing files are not overwritten. */
export async function init(dir: string, { json, tyk, url, ts = false }: InitOptions): Promise<void> {
  const target = resolve(dir);
  const gateway = tyk === undefined ? undefined : { ...(await gatewayIn(tyk)), dir: target, url };
  const putAttached = gateway && (await prepareAttach(gateway));
  const files = await filesFor(target, { hasHandlers: gateway !== undefined, ts });
  const report: InitReport = { dir: target, written: [], kept: [] };
  for (const [path, text] of files) {
    const isNew = (await textAt(target, path)) !== text && (await write(target, path, text));
    report[isNew ? "written" : "kept"].push(path);
  }
  const attached = await putAttached?.();
  if (attached && attached.errors.length > 0) process.exitCode = 1;
  if (json) return printJson({ ...report, ...(attached && { attached }) });
  for (const path of report.written) print(`  wrote  ${path}`);
  for (const path of report.kept) print(`  kept   ${path}`);
  const commands = await nextCommands(target);
  if (attached && gateway) sayAttached(attached, placesOf(gateway), commands);
  else sayCommands(commands);
}

/** Reads all existing files, and rejects those that it cannot complete, before anything is written. */
async function filesFor(
  target: string,
  { hasHandlers, ts }: { hasHandlers: boolean; ts: boolean },
): Promise<[path: string, text: string][]> {
  const name = serviceName(target);
  const project = { $schema: "./node_modules/gatehook/dist/gatehook.schema.json", name, settings: {} };
  const { folders } = await readProject(target);
  const isOccupied =
    hasHandlers || (await exists(target, folders.apis)) || (await exists(target, folders.handlers));
  const paths = (await templatePaths()).filter((path) => !(isOccupied && SAMPLES.test(path)));
  return [
    ["package.json", await completedPackage(await textAt(target, "package.json"), { name, ts })],
    [".gitignore", IGNORED],
    ["gatehook.json", `${JSON.stringify(project, undefined, 2)}\n`],
    ...(await Promise.all(paths.map((path) => fromTemplate(path, folders)))).map((file) =>
      ts ? inTypeScript(file) : file,
    ),
  ];
}

/** The same file for handlers in TypeScript. */
function inTypeScript([path, text]: [path: string, text: string]): [path: string, text: string] {
  if (path === "jsconfig.json") return ["tsconfig.json", withTypeScript(text)];
  // The definition names the script, which is bundled from the file.
  if (path.endsWith(".test.mjs")) return [path, text.replaceAll(/(?<=grace-period)\.js/g, ".ts")];
  if (!path.endsWith(".js")) return [path, text];
  return [path.replace(/\.js$/, ".ts"), text.replace(/^var (?=\w+ = new TykJS)/m, "export const ")];
}

function withTypeScript(text: string): string {
  const { compilerOptions, ...rest } = JSON.parse(text) as { compilerOptions: object };
  const options = { ...compilerOptions, allowImportingTsExtensions: true, isolatedModules: true };
  return `${JSON.stringify({ compilerOptions: options, ...rest }, undefined, 2)}\n`;
}

async function templatePaths(): Promise<string[]> {
  const entries = await readdir(TEMPLATES, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => relative(TEMPLATES, join(parentPath, name)).replaceAll("\\", "/"))
    .sort();
}

/** With the folders of an existing gatehook.json. */
async function fromTemplate(path: string, folders: Folders): Promise<[path: string, text: string]> {
  const text = await readFile(join(TEMPLATES, path), "utf8");
  const place = placeIn(folders, path);
  return [RENAMED[place] ?? place, text.replaceAll(HANDLERS, folders.handlers)];
}

/** False if the file exists. Only package.json is completed. */
async function write(target: string, path: string, text: string): Promise<boolean> {
  const file = join(target, path);
  if (path === "package.json")
    return (await putFiles([{ file, text, replace: true }], { dryRun: false })).size > 0;
  try {
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, text, { flag: "wx" });
    return true;
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw new UsageError(`${file} cannot be written: ${errorText(cause)}`, { cause });
  }
}

async function textAt(target: string, path: string): Promise<string | undefined> {
  try {
    return await readFile(join(target, path), "utf8");
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === "ENOENT") return undefined;
    throw new UsageError(`${join(target, path)} cannot be read: ${errorText(cause)}`, { cause });
  }
}

async function exists(target: string, path: string): Promise<boolean> {
  return stat(join(target, path)).then(
    () => true,
    () => false,
  );
}

const MOST_NAME_CHARS = 20;

/** A name that is valid in all AWS names that contain it. */
function serviceName(target: string): string {
  const name = basename(target)
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, "-")
    .replace(/^[^a-z]+/, "")
    .slice(0, MOST_NAME_CHARS)
    .replace(/-+$/, "");
  return SERVICE_NAME.pattern.test(name) ? name : "gatehook";
}

async function nextCommands(target: string): Promise<string[]> {
  const way = relative(process.cwd(), target);
  const there = way ? [`cd ${shellWord(way)}`] : [];
  return [...there, "npm install", "npx gatehook dev"];
}

/** Quoted as one word for a shell. */
const shellWord = (text: string) => (/^[\w./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);
