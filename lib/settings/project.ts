import { getNodeValue, type Node, parseTree } from "jsonc-parser";
import { jsonMistake } from "../json-mistake.ts";
import { misfits, type Shape } from "./shape.ts";

/** What gatehook.json says of a folder. */
export interface Project {
  /** Of the local stack and of every stage, as the environment would have them. */
  settings: Record<string, string>;
  /** What a stage has otherwise. `local` is the local stack. */
  stages: Record<string, { settings: Record<string, string> }>;
}

export const PROJECT_FILE = "gatehook.json";
export const LOCAL_STAGE = "local";

const SETTINGS: Shape = { kind: "settings", what: "Settings by their names: docs/settings.md lists them." };

export const PROJECT_SHAPE: Shape = {
  kind: "object",
  what: "A folder with apis/ and handlers/.",
  members: {
    $schema: { kind: "text", what: "Where the schema of this file is, for editors." },
    settings: SETTINGS,
    stages: {
      kind: "map",
      what: "What a stage has otherwise; local is the local stack.",
      of: { kind: "object", what: "A stage.", members: { settings: SETTINGS } },
    },
  },
};

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
  return { project: projectOf(tree) };
}

interface Written {
  settings?: Record<string, unknown>;
  stages?: Record<string, { settings?: Record<string, unknown> }>;
}

function projectOf(tree: Node): Project {
  const { settings, stages = {} } = getNodeValue(tree) as Written;
  const ofStages = Object.entries(stages).map(
    ([name, stage]) => [name, { settings: textsOf(stage.settings) }] as const,
  );
  return { settings: textsOf(settings), stages: Object.fromEntries(ofStages) };
}

const textsOf = (settings: Record<string, unknown> = {}) =>
  Object.fromEntries(Object.entries(settings).map(([name, value]) => [name, String(value)]));

const lineAt = (text: string, offset: number) => text.slice(0, offset).split("\n").length;
