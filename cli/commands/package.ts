import { randomUUID } from "node:crypto";
import { copyFileSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join, relative, resolve } from "node:path";
import { portableOf } from "../../deploy/portable.ts";
import type { Template } from "../../deploy/template.ts";
import { errorText } from "../../lib/errors.ts";
import { type Packaged, packaged } from "../stage/artifact.ts";
import { readTarget, type StageOptions, type Target } from "../stage/target.ts";
import { interruption } from "../terminal/interrupt.ts";
import { print, printError, printJson } from "../terminal/print.ts";
import { UsageError } from "../terminal/usage.ts";

/** Without `template`, the zips and the template go into `.gatehook/package/<stage>/`. */
export interface PackageOptions extends StageOptions {
  /** A folder for a template of other tools. */
  template?: string;
  json?: boolean;
}

/** `gatehook package`: the functions' zips and the template, checked, without AWS. */
export async function packageCommand(options: PackageOptions): Promise<void> {
  const target = await readTarget(options);
  await packaged(target, interruption(), async (made) => {
    const folder = options.template ? writePortable(options.template, made) : writeStage(target, made);
    tell(target, made, folder, options);
  });
}

/** Into `.gatehook/package/<stage>/` of the folder. */
function writeStage({ dir, stage }: Target, { template, zips }: Packaged): string {
  const folder = join(dir, ".gatehook/package", stage);
  // Whole or not at all, also where two package the same stage.
  return writable(dirname(folder), (parent) => {
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

/** A zip of ours, whose code may be older. */
const ZIP = /^[a-z-]+-[0-9a-f]{16}\.zip$/;

function writePortable(dir: string, made: Packaged): string {
  const { template, zips } = portableOf(made);
  return writable(resolve(dir), (folder) => {
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

function writable(folder: string, write: (folder: string) => string): string {
  try {
    mkdirSync(folder, { recursive: true });
    return write(folder);
  } catch (cause) {
    throw new UsageError(`${folder} cannot be written to: ${errorText(cause)}`, { cause });
  }
}

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
