import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { AppError } from "../lib/errors.ts";
import { settingOf } from "../lib/settings/named.ts";
import { DEFINITION_FILE, INFRA_FOLDER, putZips, ZIPS_FOLDER } from "./parts.ts";

/** The differences from this package's serverless.yml: texts as in the environment. */
export interface Service {
  name: string;
  /** The version of gatehook that writes it. */
  version: string;
  /** The tags of every stage, if any. */
  tags?: Record<string, string>;
  /** The parameters of every stage. */
  parameters: Record<string, string>;
  stages: Record<string, ServiceStage>;
}

/** The differences of one stage. */
export interface ServiceStage {
  region?: string;
  tags?: Record<string, string>;
  parameters: Record<string, string>;
}

/** The files that writeService writes into a folder. */
export const SERVICE_PATHS = ["serverless.yml", "infra", ZIPS_FOLDER] as const;

/** Writes the files for the framework into a folder: serverless.yml, infra/ and the functions' zips. */
export async function writeService(folder: string, service: Service): Promise<void> {
  writeDefinition(folder, service);
  await putZips(`${folder}/${ZIPS_FOLDER}`);
}

/** The same without the zips, which only a deployment needs. */
export function writeDefinition(folder: string, service: Service): void {
  writeFileSync(`${folder}/serverless.yml`, definitionOf(service));
  // Its files for a gateway's host are not part of the stack.
  const filter = (path: string) => path === INFRA_FOLDER || path.endsWith(".yml");
  cpSync(INFRA_FOLDER, `${folder}/infra`, { recursive: true, filter });
}

/** The text of serverless.yml for a service, with its comments. */
function definitionOf({ name, version, tags, parameters, stages }: Service): string {
  let text = readFileSync(DEFINITION_FILE, "utf8");
  text = replaced(text, /^service: .*$/m, `service: ${name}`);
  text = replaced(text, /^ {2}version: .*$/m, `  version: ${JSON.stringify(version)}`);
  const defaults = Object.entries(parameters).map(([parameter, value]) => line(parameter, value));
  for (const one of tags ? [tagLine(tags), ...defaults] : defaults)
    text = replaced(text, new RegExp(`^    ${one.split(":")[0]}:.*$`, "m"), `    ${one}`);
  // After the defaults of all stages.
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
    ...(tags ? [tagLine(tags)] : []),
    ...Object.entries(parameters).map(([name, value]) => line(name, value)),
  ];
  // A stage without its own settings needs no entry.
  if (lines.length === 0) return "";
  return `  ${JSON.stringify(stage)}:\n${lines.map((one) => `    ${one}\n`).join("")}\n`;
}

const tagLine = (tags: Record<string, string>) => `tags: ${JSON.stringify(tags)}`;

/** JSON is YAML too. */
const line = (name: string, value: string) => `${name}: ${JSON.stringify(typed(name, value.trim()))}`;

function typed(name: string, value: string): string | number | boolean {
  const setting = settingOf(name);
  if ("problem" in setting) return value;
  if (setting.kind === "flag") return value === "true";
  const isNumber = setting.kind === "integer" || (setting.kind === "choice" && /^\d+$/.test(value));
  return isNumber ? Number(value) : value;
}
