import { DEPLOYMENT_SETTINGS, type DeploymentSetting } from "./deployment-settings.ts";
import { REGION, SERVICE_NAME, SOURCE_FOLDER, STAGE_NAME, TAG_NAME, TAG_VALUE } from "./forms.ts";
import type { Shape } from "./shape.ts";

/** The name under `stages` that has the settings of the local stack: it cannot be deployed. */
export const LOCAL_STAGE = "local";

const SETTINGS: Shape = { kind: "settings", what: "Settings by their names: docs/settings.md lists them." };
const TAGS: Shape = {
  kind: "map",
  what: "Tags of all that a stack makes.",
  names: TAG_NAME,
  of: { kind: "text", what: "A tag's value.", form: TAG_VALUE },
};

/** The settings of a deployment that are in a member of a stage, by their names there. */
export const settingsIn = (member: "resources" | "domain") =>
  Object.entries<DeploymentSetting>(DEPLOYMENT_SETTINGS).flatMap(([setting, { member: path, ...rest }]) => {
    const [first, name = ""] = path?.split(".") ?? [];
    return first === member ? [{ setting, name, ...rest }] : [];
  });

const members = (member: "resources" | "domain"): Record<string, Shape> =>
  Object.fromEntries(
    settingsIn(member).map((one) => [
      one.name,
      { kind: "text", what: one.what, ...(one.kind === "text" && one.form && { form: one.form }) },
    ]),
  );

const STAGE: Shape = {
  kind: "object",
  what: "A stage.",
  members: {
    region: { kind: "text", what: "Where it is deployed without --region.", form: REGION },
    confirm: {
      kind: "flag",
      what: "Whether a command that writes to it asks first; by default for prod, production and live.",
    },
    settings: SETTINGS,
    tags: TAGS,
    resources: {
      kind: "object",
      what: "What is there already and is used in place of what the stack would make.",
      members: members("resources"),
    },
    domain: {
      kind: "object",
      what: "A domain name for the HTTP API.",
      members: members("domain"),
      required: ["name", "certificate"],
    },
  },
};

/** The shape of a `gatehook.json`, for its JSON schema and its checks. */
export const PROJECT_SHAPE: Shape = {
  kind: "object",
  what: "A folder with definitions and handlers.",
  members: {
    $schema: { kind: "text", what: "Where the schema of this file is, for editors." },
    name: {
      kind: "text",
      what: "The service: a stack is called by it and its stage. By default gatehook.",
      form: SERVICE_NAME,
    },
    folders: {
      kind: "object",
      what: "Where definitions and scripts are; one may not be in the other.",
      members: {
        apis: { kind: "text", what: "The folder of the definitions. By default apis.", form: SOURCE_FOLDER },
        handlers: { kind: "text", what: "That of the scripts. By default handlers.", form: SOURCE_FOLDER },
      },
    },
    settings: SETTINGS,
    tags: TAGS,
    stages: {
      kind: "map",
      what: "What a stage has otherwise.",
      names: STAGE_NAME,
      of: STAGE,
      members: {
        [LOCAL_STAGE]: { kind: "object", what: "The local stack.", members: { settings: SETTINGS } },
      },
    },
  },
};
