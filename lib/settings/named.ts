import { createNearest } from "../apis/nearest.ts";
import { DEPLOYMENT_SETTINGS, type DeploymentSetting } from "./deployment-settings.ts";
import { SECRET_REFERENCE } from "./forms.ts";
import { FUNCTION_SETTINGS, type FunctionSetting } from "./function-settings.ts";
import { isSecret, problemWith, type Setting } from "./setting.ts";

const FUNCTIONS: Record<string, FunctionSetting> = FUNCTION_SETTINGS;
const DEPLOYMENT: Record<string, DeploymentSetting> = DEPLOYMENT_SETTINGS;

/** The setting with a name; a problem for an unknown name, and for a setting that the stack sets itself. */
export function settingOf(name: string): Setting | { problem: string } {
  if (Object.hasOwn(DEPLOYMENT, name)) return DEPLOYMENT[name] as Setting;
  if (!Object.hasOwn(FUNCTIONS, name)) return { problem: `there is no setting ${name}${hint(name)}` };
  const setting = FUNCTIONS[name] as FunctionSetting;
  return setting.resource ? { problem: `${name} is made by the stack: it cannot be set` } : setting;
}

/** The problem of a setting; undefined if it is valid. */
export function problemWithNamed(name: string, value: string): string | undefined {
  const setting = settingOf(name);
  if ("problem" in setting) return setting.problem;
  const problem = problemWith(setting, value);
  return problem && `${name} ${problem}`;
}

/** The same for a setting in gatehook.json, or of a deployment. */
export function problemWithWritten(name: string, value: string): string | undefined {
  const setting = settingOf(name);
  if ("problem" in setting) return setting.problem;
  const { member } = setting as DeploymentSetting;
  if (member) return `${name} is not a member of settings: in gatehook.json it is stages.<stage>.${member}`;
  if (isSecret(setting) && value.trim() && !SECRET_REFERENCE.pattern.test(value.trim()))
    return `${name} must be ${SECRET_REFERENCE.rule}: the secret itself stands in Secrets Manager (aws secretsmanager create-secret), and for the local stack in the environment`;
  return problemWithNamed(name, value);
}

const nearest = createNearest([...Object.keys(DEPLOYMENT), ...Object.keys(FUNCTIONS)]);

function hint(name: string): string {
  const near = nearest(name);
  return near ? ` (did you mean ${near}?)` : "";
}
