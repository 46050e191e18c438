import { getNodeValue, parseTree } from "jsonc-parser";
import { jsonMistake } from "../json-mistake.ts";
import { SECRET_REFERENCE } from "./forms.ts";
import { LOCAL_STAGE, PROJECT_SHAPE, settingsIn } from "./project-shape.ts";
import { misfits } from "./shape.ts";

/** What gatehook.json says of a folder. */
export interface Project {
  /** Of the service: it and the stage are in the name of all that a stack makes. */
  name: string;
  /** Of the local stack and of every stage, as the environment would have them. */
  settings: Record<string, string>;
  tags: Record<string, string>;
  /** What a stage has otherwise. `local` is the local stack. */
  stages: Record<string, Stage>;
}

export interface Stage {
  region?: string;
  /** Whether a command that writes to it asks first; its name tells where nothing is said. */
  confirm?: boolean;
  settings: Record<string, string>;
  /** Its resources and its domain, by the names of the deployment's settings. */
  given: Record<string, string>;
  tags: Record<string, string>;
}

export const PROJECT_FILE = "gatehook.json";
export const NO_PROJECT: Project = { name: "gatehook", settings: {}, tags: {}, stages: {} };

/** Those of the local stack. It has no CloudFormation to put a secret in the place of its reference. */
export function localSettings({ settings, stages }: Project): Record<string, string> {
  const all = Object.entries({ ...settings, ...stages[LOCAL_STAGE]?.settings });
  return Object.fromEntries(all.filter(([, value]) => !SECRET_REFERENCE.pattern.test(value.trim())));
}

/** What is wrong with a gatehook.json. */
export interface ProjectProblem {
  line: number;
  message: string;
}

/** Reads the text of a gatehook.json. */
export function parseProject(text: string): { project: Project } | { problems: ProjectProblem[] } {
  const json = text.replace(/^\uFEFF/, "");
  const mistake = jsonMistake(json);
  if (mistake) return { problems: [mistake] };
  const tree = parseTree(json);
  if (!tree) return { problems: [{ line: 1, message: "nested too deeply" }] };
  const problems = misfits(tree, PROJECT_SHAPE);
  if (problems.length > 0)
    return { problems: problems.map(({ offset, message }) => ({ line: lineAt(json, offset), message })) };
  return { project: projectOf(getNodeValue(tree)) };
}

interface WrittenStage {
  region?: string;
  confirm?: boolean;
  settings?: Record<string, unknown>;
  tags?: Record<string, string>;
  resources?: Record<string, string>;
  domain?: Record<string, string>;
}

interface Written {
  name?: string;
  settings?: Record<string, unknown>;
  tags?: Record<string, string>;
  stages?: Record<string, WrittenStage>;
}

function projectOf({ name = NO_PROJECT.name, settings, tags = {}, stages = {} }: Written): Project {
  const ofStages = Object.entries(stages).map(([stage, written]) => [stage, stageOf(written)] as const);
  return { name, settings: textsOf(settings), tags, stages: Object.fromEntries(ofStages) };
}

function stageOf({ region, confirm, settings, tags = {}, ...written }: WrittenStage): Stage {
  const given = (["resources", "domain"] as const).flatMap((member) =>
    settingsIn(member).flatMap(({ setting, name }) => {
      const value = written[member]?.[name];
      return value === undefined ? [] : [[setting, value] as const];
    }),
  );
  return {
    ...(region !== undefined && { region }),
    ...(confirm !== undefined && { confirm }),
    settings: textsOf(settings),
    given: Object.fromEntries(given),
    tags,
  };
}

const textsOf = (settings: Record<string, unknown> = {}) =>
  Object.fromEntries(Object.entries(settings).map(([name, value]) => [name, String(value)]));

const lineAt = (text: string, offset: number) => text.slice(0, offset).split("\n").length;
