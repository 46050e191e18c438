import { findNodeAtLocation, getNodeValue, type Node } from "jsonc-parser";
import { jsonMistake, treeOf } from "../json-mistake.ts";
import { SECRET_REFERENCE } from "./forms.ts";
import { LOCAL_STAGE, PROJECT_SHAPE, settingsIn } from "./project-shape.ts";
import { type Misfit, misfits } from "./shape.ts";

/** The content of gatehook.json. */
export interface Project {
  /** The name of the service: it and the stage are in the names of all resources of a stack. */
  name: string;
  folders: Folders;
  /** The settings of the local stack and of every stage, as in the environment. */
  settings: Record<string, string>;
  tags: Record<string, string>;
  /** The differences of each stage. `local` is the local stack. */
  stages: Record<string, Stage>;
}

/** The folders of definitions and scripts. In the bucket they are below `apis/` and `handlers/`. */
export type Folders = Record<"apis" | "handlers", string>;

/** The members of a stage that add to, or replace, those of all stages. */
export interface Stage {
  region?: string;
  /**
   * Whether a command asks for confirmation before it writes to the stage; by default for prod, production and live.
   */
  confirm?: boolean;
  settings: Record<string, string>;
  /** Its resources and its domain, by the names of the deployment's settings. */
  given: Record<string, string>;
  tags: Record<string, string>;
}

/** The file in the project's folder. */
export const PROJECT_FILE = "gatehook.json";
/** The default folders of definitions and scripts. */
export const OWN_FOLDERS: Folders = { apis: "apis", handlers: "handlers" };
/** The settings without a `gatehook.json`. */
export const NO_PROJECT: Project = {
  name: "gatehook",
  folders: OWN_FOLDERS,
  settings: {},
  tags: {},
  stages: {},
};

/** The text of both folders in messages. */
export const foldersText = ({ apis, handlers }: Folders, word: "and" | "or" = "and") =>
  `${apis}/ ${word} ${handlers}/`;

/** The path in the project of a file of the bucket: `apis/orders.json` in the folder of definitions. */
export function placeIn({ apis, handlers }: Folders, path: string): string {
  return path.replace(/^(apis|handlers)\//, (_, name) => `${name === "apis" ? apis : handlers}/`);
}

/** The path in the bucket of a file of the project; a file in neither folder keeps its path. */
export function bucketPath(folders: Folders, path: string): string {
  for (const name of ["apis", "handlers"] as const)
    if (path.startsWith(`${folders[name]}/`)) return name + path.slice(folders[name].length);
  return path;
}

/** The settings of the local stack. It has no CloudFormation that replaces a reference with its secret. */
export function localSettings({ settings, stages }: Project): Record<string, string> {
  const all = Object.entries({ ...settings, ...stages[LOCAL_STAGE]?.settings });
  return Object.fromEntries(all.filter(([, value]) => !SECRET_REFERENCE.pattern.test(value.trim())));
}

/** A problem of a gatehook.json. */
export interface ProjectProblem {
  line: number;
  message: string;
}

/** Reads the text of a gatehook.json. */
export function parseProject(text: string): { project: Project } | { problems: ProjectProblem[] } {
  const json = text.replace(/^\uFEFF/, "");
  const mistake = jsonMistake(json);
  if (mistake) return { problems: [mistake] };
  const tree = treeOf(json);
  if (!tree) return { problems: [{ line: 1, message: "nested too deeply" }] };
  const problems = misfits(tree, PROJECT_SHAPE);
  // A file with problems is not checked further.
  const found = problems.length > 0 ? problems : sharedFolders(tree);
  if (found.length > 0)
    return { problems: found.map(({ offset, message }) => ({ line: lineAt(json, offset), message })) };
  return { project: projectOf(getNodeValue(tree)) };
}

/** One folder in the other. Some file systems do not distinguish Apis from apis. */
function sharedFolders(tree: Node): Misfit[] {
  const node = findNodeAtLocation(tree, ["folders"]);
  const { apis, handlers } = { ...OWN_FOLDERS, ...(node && getNodeValue(node)) } as Folders;
  const taken = Object.entries({ apis, handlers }).find(([, path]) => /^templates(\/|$)/i.test(path));
  if (node && taken)
    return [
      {
        offset: node.offset,
        message: `folders.${taken[0]} is ${taken[1]}, where the templates of webhooks are`,
      },
    ];
  const [one, other] = [apis, handlers].map((path) => `${path.toLowerCase()}/`) as [string, string];
  if (!node || !(one.startsWith(other) || other.startsWith(one))) return [];
  const message = `folders.apis is ${apis} and folders.handlers is ${handlers}: one may not be the other, or in it`;
  return [{ offset: node.offset, message }];
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
  folders?: Partial<Folders>;
  settings?: Record<string, unknown>;
  tags?: Record<string, string>;
  stages?: Record<string, WrittenStage>;
}

function projectOf({ name = NO_PROJECT.name, folders, settings, tags = {}, stages = {} }: Written): Project {
  const ofStages = Object.entries(stages).map(([stage, written]) => [stage, stageOf(written)] as const);
  return {
    name,
    folders: { ...OWN_FOLDERS, ...folders },
    settings: textsOf(settings),
    tags,
    stages: Object.fromEntries(ofStages),
  };
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
