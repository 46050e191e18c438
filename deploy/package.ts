// npm run package: builds, packages by the framework and checks the outcome; nothing of it needs a network or an
// account. `npm run deploy` goes on to deploy it. What follows `--` is for the framework, such as --stage prod.
import { spawn } from "node:child_process";
import { cpSync, readdirSync, readFileSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { buildFunctions, ROOT } from "./build.ts";
import { parameterProblems } from "./parameters.ts";
import { schemaProblems } from "./schema.ts";
import { type Template, templateProblems } from "./template.ts";

const OSLS = createRequire(import.meta.url).resolve("osls/bin/serverless.js");

export interface Compiled {
  template: Template;
  /** What would go wrong with it on AWS. */
  problems: string[];
}

export interface Artifact extends Compiled {
  /** Each function's zip. */
  zips: Map<string, { path: string; bytes: number }>;
}

/** Packages into a folder, which gets dist/, dist-maps/ and .serverless/. */
export async function packageService(folder: string, args: string[] = []): Promise<Artifact> {
  const problems = parameterProblems(readFileSync(`${ROOT}serverless.yml`, "utf8"), args);
  if (problems.length > 0) throw new Error(problems.join("\n"));
  await buildFunctions(folder);
  if (folder !== ROOT) for (const file of ["serverless.yml", "infra"]) copy(file, folder);
  const compiled = await compile(folder, args);
  const out = `${folder}/.serverless`;
  const zips = readdirSync(out)
    .filter((file) => file.endsWith(".zip"))
    .map(
      (file) =>
        [file.slice(0, -4), { path: `${out}/${file}`, bytes: statSync(`${out}/${file}`).size }] as const,
    );
  return { ...compiled, zips: new Map(zips) };
}

/** Compiles serverless.yml where packageService has been. */
export async function compile(folder: string, args: string[]): Promise<Compiled> {
  await osls(folder, ["package", ...args]);
  const file = `${folder}/.serverless/cloudformation-template-update-stack.json`;
  const template = JSON.parse(readFileSync(file, "utf8")) as Template;
  return { template, problems: [...templateProblems(template), ...schemaProblems(file)] };
}

const copy = (file: string, folder: string) =>
  cpSync(`${ROOT}${file}`, `${folder}/${file}`, { recursive: true });

async function osls(folder: string, args: string[]): Promise<void> {
  const child = spawn(process.execPath, [OSLS, ...args], { cwd: folder, stdio: ["ignore", 2, 2] });
  const code = await new Promise((resolve) => child.once("close", resolve));
  if (code !== 0) throw new Error(`osls ${args.join(" ")} ended with ${code}`);
}

async function main(args: string[]): Promise<void> {
  const forFramework = args.filter((arg) => arg !== "--deploy");
  const { zips, problems } = await packageService(ROOT, forFramework);
  for (const [name, { bytes }] of zips)
    console.log(`${name.padEnd(16)}${(bytes / 1000).toFixed(0).padStart(6)} kB`);
  if (problems.length > 0) throw new Error(`the template has mistakes:\n${problems.join("\n")}`);
  if (args.includes("--deploy")) await osls(ROOT, ["deploy", ...forFramework]);
}

if (import.meta.main) {
  try {
    await main(process.argv.slice(2));
  } catch (thrown) {
    console.error(`gatehook: ${(thrown as Error).message}`);
    process.exitCode = 1;
  }
}
