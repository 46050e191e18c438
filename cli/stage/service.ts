import type { Service, ServiceStage } from "../../deploy/service.ts";
import { commonParameters, stageParameters } from "../../lib/settings/deployment.ts";
import type { Project } from "../../lib/settings/project.ts";
import { ownPackage } from "../version.ts";
import { stagesOf, type Target } from "./target.ts";

/** The changes of a folder's gatehook.json to serverless.yml, with all of its stages. */
export function serviceOf(project: Project): Service {
  const { name, tags } = project;
  const stages = stagesOf(project).map((stage) => {
    const { region } = project.stages[stage] ?? {};
    return [stage, stageOf(project, stage, region, stageParameters(project, stage))] as const;
  });
  return {
    name,
    version: ownPackage().version,
    ...(Object.keys(tags).length > 0 && { tags: { service: name, ...tags } }),
    parameters: commonParameters(project),
    stages: Object.fromEntries(stages),
  };
}

/** The same for only one stage, with the settings of the command line. */
export function serviceOfTarget({ project, stage, region, parameters }: Target): Service {
  return {
    name: project.name,
    version: ownPackage().version,
    parameters: {},
    stages: { [stage]: stageOf(project, stage, region, parameters) },
  };
}

function stageOf(
  { name, tags, stages }: Project,
  stage: string,
  region: string | undefined,
  parameters: Record<string, string>,
): ServiceStage {
  const all = { ...tags, ...stages[stage]?.tags };
  return {
    ...(region && { region }),
    ...(Object.keys(all).length > 0 && { tags: { service: name, ...all } }),
    parameters,
  };
}
