import { DEPLOYMENT_SETTINGS, type DeploymentSetting } from "./deployment-settings.ts";
import { type Form, SECRET_REFERENCE } from "./forms.ts";
import { FUNCTION_SETTINGS, type FunctionSetting } from "./function-settings.ts";
import { PROJECT_SHAPE } from "./project-shape.ts";
import { defaultText, isSecret, type Setting } from "./setting.ts";
import type { Shape } from "./shape.ts";

type Schema = Record<string, unknown>;

/**
 * The JSON Schema of gatehook.json, for editors. gatehook itself checks the file with the shape from which the schema
 * is generated.
 */
export const projectSchema = (): Schema => ({
  $schema: "https://json-schema.org/draft/2020-12/schema",
  title: "gatehook.json",
  ...shapeSchema(PROJECT_SHAPE),
  $defs: { settings: settingsSchema() },
});

function shapeSchema(shape: Shape): Schema {
  switch (shape.kind) {
    case "text":
      return { type: "string", description: shape.what, ...patternOf(shape.form) };
    case "flag":
      return { type: "boolean", description: shape.what };
    case "settings":
      return { $ref: "#/$defs/settings", description: shape.what };
    case "map":
      return {
        type: "object",
        description: shape.what,
        properties: mapValues(shape.members ?? {}, shapeSchema),
        ...(shape.names && { propertyNames: patternOf(shape.names) }),
        additionalProperties: shapeSchema(shape.of),
      };
    case "object":
      return {
        type: "object",
        description: shape.what,
        properties: mapValues(shape.members, shapeSchema),
        additionalProperties: false,
        ...(shape.required && { required: shape.required }),
      };
  }
}

const patternOf = (form: Form | undefined) => form && { pattern: form.pattern.source };

function settingsSchema(): Schema {
  const ofFunctions = Object.entries<FunctionSetting>(FUNCTION_SETTINGS).filter(
    ([, { resource }]) => !resource,
  );
  const ofDeployment = Object.entries<DeploymentSetting>(DEPLOYMENT_SETTINGS).filter(
    ([, { member }]) => !member,
  );
  const all: Record<string, Setting> = Object.fromEntries([...ofDeployment, ...ofFunctions]);
  return { type: "object", properties: mapValues(all, settingSchema), additionalProperties: false };
}

function settingSchema(setting: Setting): Schema {
  const fallback = defaultText(setting);
  return {
    description: setting.what,
    ...valueSchema(setting),
    ...(fallback && { default: typed(setting, fallback) }),
  };
}

/** A number and true may also be given as text, as in the environment. */
function valueSchema(setting: Setting): Schema {
  if (isSecret(setting)) return { type: "string", ...patternOf(SECRET_REFERENCE) };
  switch (setting.kind) {
    case "integer":
      return {
        type: ["integer", "string"],
        minimum: setting.min,
        maximum: setting.max,
        pattern: "^\\s*-?\\d+\\s*$",
      };
    case "flag":
      return { enum: [true, false, "true", "false"] };
    case "choice":
      return {
        enum: setting.choices.flatMap((text) => (Number.isNaN(Number(text)) ? [text] : [text, Number(text)])),
      };
    case "list":
      return { type: ["string", "array"], items: { type: "string" } };
    case "url":
      return { type: "string", pattern: "^\\s*https?://" };
    case "text":
      return { type: "string", ...patternOf(setting.form) };
    case "secret":
      return { type: "string" };
  }
}

const typed = ({ kind }: Setting, text: string) =>
  kind === "integer" || kind === "flag" ? (JSON.parse(text) as number | boolean) : text;

const mapValues = <Value, Result>(record: Record<string, Value>, map: (value: Value) => Result) =>
  Object.fromEntries(Object.entries(record).map(([name, value]) => [name, map(value)]));
