import { createNearest } from "../apis/nearest.ts";
import { DEPLOYMENT_SETTINGS, type DeploymentSetting } from "./deployment-settings.ts";
import { FUNCTION_SETTINGS, type FunctionSetting } from "./function-settings.ts";
import { problemWith, type Setting } from "./setting.ts";

const FUNCTIONS: Record<string, FunctionSetting> = FUNCTION_SETTINGS;
const DEPLOYMENT: Record<string, DeploymentSetting> = DEPLOYMENT_SETTINGS;

/** The setting of a name that somebody wrote; a problem where there is none, or nobody may set it. */
export function settingOf(name: string): Setting | { problem: string } {
  if (Object.hasOwn(DEPLOYMENT, name)) return DEPLOYMENT[name] as Setting;
  if (!Object.hasOwn(FUNCTIONS, name)) return { problem: `there is no setting ${name}${hint(name)}` };
  const setting = FUNCTIONS[name] as FunctionSetting;
  return setting.resource ? { problem: `${name} is made by the stack: it cannot be set` } : setting;
}

/** What is wrong with a setting that somebody wrote; undefined when nothing is. */
export function problemWithNamed(name: string, value: string): string | undefined {
  const setting = settingOf(name);
  if ("problem" in setting) return setting.problem;
  const problem = problemWith(setting, value);
  return problem && `${name} ${problem}`;
}

const nearest = createNearest([...Object.keys(DEPLOYMENT), ...Object.keys(FUNCTIONS)]);

function hint(name: string): string {
  const near = nearest(name);
  return near ? ` (did you mean ${near}?)` : "";
}
