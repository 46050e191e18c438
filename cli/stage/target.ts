import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { gatewayOptions } from "../../functions/gateway.ts";
import { readRuntimeSettings } from "../../functions/runtime-settings.ts";
import { createNearest } from "../../lib/apis/nearest.ts";
import { AppError } from "../../lib/errors.ts";
import { SOURCE_FOLDERS } from "../../lib/releases/sources.ts";
import { LOCAL_ONLY, type Parameters, stageParameters } from "../../lib/settings/deployment.ts";
import { deploymentProblems } from "../../lib/settings/deployment-problems.ts";
import { REGION, STAGE_NAME } from "../../lib/settings/forms.ts";
import { problemWithWritten } from "../../lib/settings/named.ts";
import { PROJECT_FILE, type Project } from "../../lib/settings/project.ts";
import { LOCAL_STAGE } from "../../lib/settings/project-shape.ts";
import { readProject } from "../project.ts";
import { UsageError } from "../terminal/usage.ts";

/** The options of every command that works with a stage. */
export interface StageOptions {
  dir: string;
  stage?: string;
  region?: string;
  /** Settings that override those of gatehook.json. */
  set?: Parameters;
}

/** A stage of a folder. */
export interface Target {
  dir: string;
  project: Project;
  stage: string;
  /** The CloudFormation stack. */
  stack: string;
  /** From --region or gatehook.json. */
  region: string | undefined;
  /** Whether a command asks for confirmation before it writes to the stage. */
  confirm: boolean;
  parameters: Parameters;
}

/** The stages that need a confirmation, unless gatehook.json says otherwise. */
const ASKS = /^(.*-)?(prod|production|live)(-.*)?$/;

/** Reads a user's folder and its gatehook.json. Throws a UsageError if it is not a gatehook project. */
export async function readFolder(dir: string): Promise<{ folder: string; project: Project }> {
  const folder = resolve(dir);
  if ([PROJECT_FILE, ...Object.keys(SOURCE_FOLDERS)].some((name) => existsSync(join(folder, name))))
    return { folder, project: await readProject(folder) };
  throw new UsageError(
    `${folder} has no ${PROJECT_FILE}, apis/ or handlers/: run this in your own folder, or name it with --dir`,
  );
}

/** The stage of a command. Throws a UsageError with its problems. */
export async function readTarget(options: StageOptions): Promise<Target> {
  const { stage: named, region: option, set = {} } = options;
  const { folder, project } = await readFolder(options.dir);
  const stage = stageOf(project, named);
  const own = project.stages[stage];
  const region = option ?? own?.region;
  if (region !== undefined && !REGION.pattern.test(region))
    throw new UsageError(`--region must be ${REGION.rule}`);
  const parameters = checkedParameters(project, stage, set);
  const problems = deploymentProblems({ name: project.name, stage, region, parameters });
  if (problems.length > 0) throw new UsageError(problems.join("\n"));
  return {
    dir: folder,
    project,
    stage,
    stack: `${project.name}-${stage}`,
    region,
    confirm: own?.confirm ?? ASKS.test(stage),
    parameters,
  };
}

/** The stages that can be deployed. */
export const stagesOf = ({ stages }: Project) => Object.keys(stages).filter((name) => name !== LOCAL_STAGE);

function stageOf(project: Project, named: string | undefined): string {
  const known = stagesOf(project);
  const [only] = known;
  if (named === undefined) {
    if (known.length > 1) throw new UsageError(`name a stage with --stage: ${known.join(", ")}`);
    return only ?? "dev";
  }
  if (named === LOCAL_STAGE)
    throw new UsageError("the stage local is the local stack, which gatehook dev starts");
  if (!STAGE_NAME.pattern.test(named)) throw new UsageError(`--stage must be ${STAGE_NAME.rule}`);
  if (known.length === 0 || known.includes(named)) return named;
  const near = createNearest(known)(named);
  const hint = near ? `did you mean ${near}? ` : "";
  throw new UsageError(`there is no stage ${named}: ${hint}${PROJECT_FILE} has ${known.join(", ")}`);
}

function checkedParameters(project: Project, stage: string, set: Parameters): Parameters {
  if (LOCAL_ONLY in { ...project.stages[stage]?.settings, ...set })
    throw new UsageError(`${LOCAL_ONLY} counts in the local stack only: a deployment has ingestAuth`);
  for (const [name, value] of Object.entries(set)) {
    const problem = problemWithWritten(name, value);
    if (problem) throw new UsageError(`--set: ${problem}`);
  }
  const parameters = stageParameters(project, stage, set);
  // The framework would interpret it as a variable.
  for (const [name, value] of Object.entries(parameters))
    if (value.includes("${")) throw new UsageError(`${name} has \${…} in it: write the value itself`);
  checkTogether(parameters);
  return parameters;
}

/** The checks of the functions at their start, which would fail otherwise. */
function checkTogether(parameters: Parameters): void {
  try {
    readRuntimeSettings(parameters);
    gatewayOptions({ GATEWAY_SECRET: "a-reference", ...parameters });
  } catch (cause) {
    if (!(cause instanceof AppError)) throw cause;
    throw new UsageError(cause.message, { cause });
  }
}
