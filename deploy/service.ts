import { cpSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { AppError } from "../lib/errors.ts";
import { settingOf } from "../lib/settings/named.ts";
import { DEFINITION_FILE, INFRA_FOLDER, putZips, ZIPS_FOLDER } from "./parts.ts";

/** What serverless.yml says otherwise than the one of this package: texts as the environment would have them. */
export interface Service {
  name: string;
  /** Parameters of every stage. */
  parameters: Record<string, string>;
  stages: Record<string, ServiceStage>;
}

export interface ServiceStage {
  region?: string;
  tags?: Record<string, string>;
  parameters: Record<string, string>;
}

/** What a folder needs for the framework: serverless.yml, infra/ and the functions' zips. Returns their paths in it. */
export async function writeService(folder: string, service: Service): Promise<string[]> {
  writeFileSync(`${folder}/serverless.yml`, definitionOf(service));
  cpSync(INFRA_FOLDER, `${folder}/infra`, { recursive: true });
  await putZips(`${folder}/${ZIPS_FOLDER}`);
  const filesIn = (path: string) => readdirSync(`${folder}/${path}`).map((file) => `${path}/${file}`);
  return ["serverless.yml", ...filesIn("infra"), ...filesIn(ZIPS_FOLDER)];
}

/** The text of serverless.yml for a service: its comments stay. */
export function definitionOf({ name, parameters, stages }: Service): string {
  let text = readFileSync(DEFINITION_FILE, "utf8");
  text = replaced(text, /^service: .*$/m, `service: ${name}`);
  for (const [parameter, value] of Object.entries(parameters))
    text = replaced(text, new RegExp(`^    ${parameter}:.*$`, "m"), `    ${line(parameter, value)}`);
  // Behind the defaults of all stages.
  return replaced(text, /^custom:$/m, `${Object.entries(stages).map(stageText).join("")}custom:`);
}

function replaced(text: string, pattern: RegExp, by: string): string {
  if (!pattern.test(text))
    throw new AppError("deploy-failed", `serverless.yml has no line ${pattern.source}`);
  return text.replace(pattern, () => by);
}

function stageText([stage, { region, tags, parameters }]: [string, ServiceStage]): string {
  const lines = [
    ...(region ? [`region: ${region}`] : []),
    ...(tags ? [`tags: ${JSON.stringify(tags)}`] : []),
    ...Object.entries(parameters).map(([name, value]) => line(name, value)),
  ];
  // A stage without a setting of its own is there by its name alone.
  if (lines.length === 0) return "";
  return `  ${JSON.stringify(stage)}:\n${lines.map((one) => `    ${one}\n`).join("")}\n`;
}

/** JSON is YAML too. */
const line = (name: string, value: string) => `${name}: ${JSON.stringify(typed(name, value.trim()))}`;

function typed(name: string, value: string): string | number | boolean {
  const setting = settingOf(name);
  if ("problem" in setting) return value;
  if (setting.kind === "flag") return value === "true";
  const isNumber = setting.kind === "integer" || (setting.kind === "choice" && /^\d+$/.test(value));
  return isNumber ? Number(value) : value;
}
