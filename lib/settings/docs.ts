import { DEPLOYMENT_SETTINGS, type DeploymentSetting } from "./deployment-settings.ts";
import { FUNCTION_SETTINGS, type FunctionSetting } from "./function-settings.ts";
import { defaultText, type Setting } from "./setting.ts";

/** The tables of docs/settings.md, as Markdown. */
export function settingsTables(): { functions: string; deployment: string } {
  const functions = Object.entries<FunctionSetting>(FUNCTION_SETTINGS).map(([name, setting]) =>
    row(code(name), setting.functions.join(", "), defaultOf(setting), range(setting), meaning(setting)),
  );
  const deployment = Object.entries<DeploymentSetting>(DEPLOYMENT_SETTINGS).map(([name, setting]) =>
    row(code(name), defaultOf(setting), range(setting), meaning(setting)),
  );
  return {
    functions: table(["setting", "functions", "default", "may be", "meaning"], functions),
    deployment: table(["setting", "default", "may be", "meaning"], deployment),
  };
}

const row = (...cells: string[]) => `| ${cells.join(" | ")} |`;
const table = (heads: string[], rows: string[]) =>
  [row(...heads), row(...heads.map(() => "---")), ...rows].join("\n");
const code = (text: string) => `\`${text}\``;

function defaultOf(setting: Setting & Pick<FunctionSetting, "resource" | "requiredWith">): string {
  if (setting.resource) return "made by the stack";
  if (setting.requiredWith) return `required with ${code(setting.requiredWith)}`;
  const fallback = defaultText(setting);
  return fallback ? code(fallback) : "none";
}

function range(setting: Setting): string {
  if (setting.kind === "integer") return `${setting.min} to ${setting.max}`;
  if (setting.kind === "choice") return setting.choices.map(code).join(", ");
  return setting.kind === "flag" ? "`true`, `false`" : "text";
}

function meaning(setting: Setting & { requiredBy?: readonly string[]; member?: string }): string {
  const required = setting.requiredBy && `Required by ${setting.requiredBy.join(" and ")}`;
  const member = setting.member && `In gatehook.json ${code(setting.member)} of a stage`;
  return [sentence(setting.what), setting.note, required, member].filter(Boolean).join(". ");
}

const sentence = (text: string) => text.charAt(0).toUpperCase() + text.slice(1).replaceAll("`", "");
