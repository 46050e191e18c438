import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runOsls } from "./osls.ts";
import { ZIPS_FOLDER } from "./parts.ts";
import { schemaProblems } from "./schema.ts";
import type { Template } from "./template.ts";
import { templateProblems } from "./template-problems.ts";

/** The CloudFormation template of a stage. */
export interface Compiled {
  template: Template;
  /** The problems that it would have on AWS. */
  problems: string[];
  /** False if AWS's schemas, which check it, are not installed. */
  isChecked: boolean;
}

/** The template with the zips, by the names of the functions; `bytes` is the size of a zip. */
export interface Artifact extends Compiled {
  /** Each function's zip. */
  zips: Map<string, { path: string; bytes: number }>;
}

/** The options of packaging a stage. */
export interface Packaging {
  osls: string;
  stage: string;
  region?: string;
  /** Override those of serverless.yml. */
  parameters?: Record<string, string>;
  env: NodeJS.ProcessEnv;
  stop?: AbortSignal;
}

/** Calls `work` with a temporary folder, and removes it afterwards. */
export async function inTemporaryFolder<Result>(work: (folder: string) => Promise<Result>): Promise<Result> {
  const folder = mkdtempSync(join(tmpdir(), "gatehook-package-"));
  try {
    return await work(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Packages a stage of the service in a folder. */
export async function packageStage(folder: string, packaging: Packaging): Promise<Artifact> {
  const compiled = await compile(folder, packaging);
  const zips = readdirSync(`${folder}/${ZIPS_FOLDER}`).map((file) => {
    const path = `${folder}/${ZIPS_FOLDER}/${file}`;
    return [file.slice(0, -".zip".length), { path, bytes: statSync(path).size }] as const;
  });
  return { ...compiled, zips: new Map(zips) };
}

async function compile(folder: string, packaging: Packaging): Promise<Compiled> {
  const { osls, stage, region, parameters = {}, env, stop } = packaging;
  const given = Object.entries(parameters).map(([name, value]) => `--param=${name}=${value}`);
  const args = ["package", "--stage", stage, ...(region ? ["--region", region] : []), ...given];
  await runOsls(osls, args, { cwd: folder, env, ...(stop && { stop }) });
  const file = `${folder}/.serverless/cloudformation-template-update-stack.json`;
  const template = JSON.parse(readFileSync(file, "utf8")) as Template;
  const bySchemas = await schemaProblems(file);
  return {
    template,
    problems: [...templateProblems(template), ...(bySchemas ?? [])],
    isChecked: bySchemas !== undefined,
  };
}
