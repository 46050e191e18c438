import { DEPLOYMENT_SETTINGS } from "./deployment-settings.ts";
import { FUNCTION_SETTINGS } from "./function-settings.ts";
import { settingOf } from "./named.ts";
import type { Project } from "./project.ts";
import { defaultText, isSecret } from "./setting.ts";

/** What a stage is deployed with: parameters of serverless.yml, as texts, without those that are left at their default. */
export type Parameters = Record<string, string>;

/** It counts in the local stack only: in a deployment, `ingestAuth` says who may send events. */
export const LOCAL_ONLY = "INGEST_AUTH";

/** Of every stage. */
export const commonParameters = ({ settings }: Project): Parameters => filled(settings);

/** Of one stage; `set` comes before gatehook.json. */
export function stageParameters(project: Project, stage: string, set: Parameters = {}): Parameters {
  const { settings = {}, given = {} } = project.stages[stage] ?? {};
  return filled({ ...project.settings, ...settings, ...given, ...set });
}

/** An empty text stands for the default, also where it takes the place of another. */
function filled(settings: Record<string, string>): Parameters {
  const entries = Object.entries(settings).flatMap(([name, value]) => {
    const setting = settingOf(name);
    if (name === LOCAL_ONLY || "problem" in setting) return [];
    const text = value.trim() || (isSecret(setting) ? "" : defaultText(setting));
    return text || setting.kind === "list" ? [[name, text] as const] : [];
  });
  return Object.fromEntries(entries);
}

const ALL = { ...DEPLOYMENT_SETTINGS, ...FUNCTION_SETTINGS };

/** A parameter's value, the default's where it is not set. */
export const parameterOf = (parameters: Parameters, name: keyof typeof ALL): string =>
  parameters[name] ?? defaultText(ALL[name]);
