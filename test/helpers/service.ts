import { ROOT } from "../../deploy/build.ts";
import { findOsls } from "../../deploy/osls.ts";
import { type Artifact, packageStage } from "../../deploy/package.ts";

/** Packages the service in a folder; the parameters override those of its serverless.yml. */
export function packageWith(
  folder: string,
  stage: string,
  parameters: Record<string, string> = {},
): Promise<Artifact> {
  const osls = findOsls(ROOT);
  if (!osls) throw new Error("osls is not installed: npm ci");
  return packageStage(folder, { osls, stage, parameters, env: process.env });
}
