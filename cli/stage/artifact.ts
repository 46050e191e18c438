import { findOsls } from "../../deploy/osls.ts";
import { type Artifact, inTemporaryFolder, packageStage } from "../../deploy/package.ts";
import { writeService } from "../../deploy/service.ts";
import { neededMemoryMb } from "../../lib/consumer/memory.ts";
import { AppError } from "../../lib/errors.ts";
import { parameterOf } from "../../lib/settings/deployment.ts";
import { printError } from "../terminal/print.ts";
import { serviceOfTarget } from "./service.ts";
import type { Target } from "./target.ts";

/** A packaged stage, valid while its folder exists. */
export interface Packaged extends Artifact {
  folder: string;
  osls: string;
  /** Problems that do not prevent a deployment. */
  warnings: string[];
}

/** The framework's program. Throws if it is not installed. */
export function requireOsls(dir: string): string {
  const osls = findOsls(dir);
  if (osls) return osls;
  throw new AppError(
    "deploy-failed",
    "osls, which packages and deploys the functions, is not installed: npm install --save-dev osls",
  );
}

/** Packages a stage. Throws `deploy-failed` with the problems that would occur on AWS. */
export async function packaged<Result>(
  target: Target,
  stop: AbortSignal,
  work: (packaged: Packaged) => Promise<Result>,
): Promise<Result> {
  const osls = requireOsls(target.dir);
  const { stage, region } = target;
  return inTemporaryFolder(async (folder) => {
    await writeService(folder, serviceOfTarget(target));
    const artifact = await packageStage(folder, {
      osls,
      stage,
      ...(region && { region }),
      env: process.env,
      stop,
    });
    const { problems, isChecked } = artifact;
    if (problems.length > 0)
      throw new AppError("deploy-failed", `${target.stack} would not work:\n${problems.join("\n")}`);
    if (!isChecked)
      printError(
        "gatehook: not checked by AWS's own schemas (npm install --save-dev @aws/cloudformation-validate)",
      );
    return work({ ...artifact, folder, osls, warnings: warningsOf(target) });
  });
}

function warningsOf({ parameters }: Target): string[] {
  const number = (name: Parameters<typeof parameterOf>[1]) => Number(parameterOf(parameters, name));
  const needed = neededMemoryMb(number("RUNTIME_WORKERS"), number("RUNTIME_MEMORY_MB"));
  const memory = number("consumerMemory");
  if (memory >= needed) return [];
  return [
    `consumerMemory is ${memory} MB, but the handlers may fill ${needed} MB: raise it, or lower RUNTIME_WORKERS or RUNTIME_MEMORY_MB`,
  ];
}
