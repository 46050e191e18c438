import { randomUUID } from "node:crypto";
import {
  accessSync,
  constants,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join, relative, resolve, sep } from "node:path";
import { portableOf } from "../../deploy/portable.ts";
import type { Template } from "../../deploy/template.ts";
import { errorText } from "../../lib/errors.ts";
import { type Packaged, packaged } from "../stage/artifact.ts";
import { readTarget, type StageOptions, type Target } from "../stage/target.ts";
import { interruption } from "../terminal/interrupt.ts";
import { print, printError, printJson } from "../terminal/print.ts";
import { UsageError } from "../terminal/usage.ts";

/** Without `template`, the zips and the template are written to `.gatehook/package/<stage>/`. */
export interface PackageOptions extends StageOptions {
  /** A folder for a template of other tools. */
  template?: string;
  json?: boolean;
}

/** `gatehook package`: the functions' zips and the template, checked, without AWS. */
export async function packageCommand(options: PackageOptions): Promise<void> {
  const target = await readTarget(options);
  const out = options.template ? resolve(options.template) : join(target.dir, ".gatehook/package");
  checkWritable(out);
  await packaged(target, interruption(), async (made) => {
    const folder = options.template ? writePortable(out, made) : writeStage(out, target.stage, made);
    tell(target, made, folder, options);
  });
}

/** Into the folder's `<stage>/`. */
function writeStage(out: string, stage: string, { template, zips }: Packaged): string {
  const folder = join(out, stage);
  // Atomically, even if two processes package the same stage.
  return writable(out, (parent) => {
    const fresh = join(parent, `.${stage}-${randomUUID()}`);
    mkdirSync(fresh);
    try {
      for (const { path } of zips.values()) copyFileSync(path, join(fresh, basename(path)));
      writeTemplate(fresh, template);
      rmSync(folder, { recursive: true, force: true });
      renameSync(fresh, folder);
    } catch (thrown) {
      rmSync(fresh, { recursive: true, force: true });
      throw thrown;
    }
    return folder;
  });
}

/** A zip of an earlier run. */
const ZIP = /^[a-z-]+-[0-9a-f]{16}\.zip$/;

function writePortable(out: string, made: Packaged): string {
  const { template, zips } = portableOf(made);
  return writable(out, (folder) => {
    const functions = join(folder, "functions");
    mkdirSync(functions, { recursive: true });
    for (const file of readdirSync(functions))
      if (ZIP.test(file) && !zips.has(file)) rmSync(join(functions, file));
    for (const [key, path] of zips) copyFileSync(path, join(functions, key));
    writeTemplate(folder, template);
    return folder;
  });
}

const writeTemplate = (folder: string, template: Template) =>
  writeFileSync(join(folder, "template.json"), `${JSON.stringify(template, null, 2)}\n`);

/** Checked before the work: the existing part of the path must be a writable folder. */
function checkWritable(folder: string): void {
  let there = folder;
  while (!existsSync(there)) there = dirname(there);
  try {
    accessSync(join(there, sep), constants.W_OK);
  } catch (cause) {
    throw notWritable(folder, cause);
  }
}

function writable(folder: string, write: (folder: string) => string): string {
  try {
    mkdirSync(folder, { recursive: true });
    return write(folder);
  } catch (cause) {
    throw notWritable(folder, cause);
  }
}

const notWritable = (folder: string, cause: unknown) =>
  new UsageError(`${folder} cannot be written to: ${errorText(cause)}`, { cause });

function tell(
  { stack, stage, region }: Target,
  made: Packaged,
  folder: string,
  options: PackageOptions,
): void {
  const functions = [...made.zips].map(([name, { bytes }]) => ({ name, bytes }));
  const { warnings } = made;
  if (options.json) {
    printJson({ stack, stage, region, folder, template: join(folder, "template.json"), functions, warnings });
    return;
  }
  for (const { name, bytes } of functions)
    print(`${name.padEnd(16)}${(bytes / 1000).toFixed(0).padStart(6)} kB`);
  for (const warning of warnings) printError(`warning  ${warning}`);
  print(`${stack} is packaged in ${relative(process.cwd(), folder) || "."}`);
}
