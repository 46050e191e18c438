import { DEPLOYMENT_SETTINGS } from "./deployment-settings.ts";
import { FUNCTION_SETTINGS } from "./function-settings.ts";
import { settingOf } from "./named.ts";
import type { Project } from "./project.ts";
import { defaultText, isSecret } from "./setting.ts";

/** The parameters of serverless.yml for a stage, as texts, without those that have their default. */
export type Parameters = Record<string, string>;

/** It applies only to the local stack: in a deployment, `ingestAuth` determines who may send events. */
export const LOCAL_ONLY = "INGEST_AUTH";

/** The parameters of all stages. */
export const commonParameters = ({ settings }: Project): Parameters => filled(settings);

/** The parameters of one stage; `set` overrides gatehook.json. */
export function stageParameters(project: Project, stage: string, set: Parameters = {}): Parameters {
  const { settings = {}, given = {} } = project.stages[stage] ?? {};
  return filled({ ...project.settings, ...settings, ...given, ...set });
}

/** An empty text means the default, even if it overrides another value. */
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

/** The value of a parameter, or its default if it is not set. */
export const parameterOf = (parameters: Parameters, name: keyof typeof ALL): string =>
  parameters[name] ?? defaultText(ALL[name]);
