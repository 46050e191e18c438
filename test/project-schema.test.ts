import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Ajv2020 } from "ajv/dist/2020.js";
import { DEPLOYMENT_SETTINGS } from "../lib/settings/deployment-settings.ts";
import { FUNCTION_SETTINGS, type FunctionSetting } from "../lib/settings/function-settings.ts";
import { projectSchema } from "../lib/settings/json-schema.ts";
import { parseProject } from "../lib/settings/project.ts";
import { defaultText, type Setting } from "../lib/settings/setting.ts";

const validate = new Ajv2020({ strict: true, allowUnionTypes: true }).compile(projectSchema());
const isRead = (value: unknown) => "project" in parseProject(JSON.stringify(value));

const SETTINGS: [string, Setting][] = [
  ...Object.entries<Setting>(DEPLOYMENT_SETTINGS),
  ...Object.entries<FunctionSetting>(FUNCTION_SETTINGS).filter(([, { resource }]) => !resource),
];

describe("the schema of gatehook.json takes what gatehook reads, and nothing else", () => {
  for (const [name, setting] of SETTINGS) {
    const values = [
      defaultText(setting),
      1,
      0,
      -1,
      1e12,
      1.5,
      true,
      false,
      "true",
      "no",
      [],
      ["a", "b"],
      [1],
      null,
      {},
      "x y",
    ];
    it(name, () => {
      for (const value of [...values, ...(setting.kind === "choice" ? setting.choices : [])]) {
        if (value === "" || isWeaklyTyped(setting, value)) continue;
        const file = { settings: { [name]: value }, stages: { prod: { settings: { [name]: value } } } };
        assert.equal(validate(file), isRead(file), JSON.stringify(value));
      }
    });
  }

  it("whatever its members", () => {
    for (const file of [
      {},
      [],
      { setting: {} },
      { stages: {} },
      { stages: { prod: {} } },
      { stages: { prod: { x: 1 } } },
      { stages: [] },
      { $schema: "s" },
      { $schema: 1 },
    ])
      assert.equal(validate(file), isRead(file), JSON.stringify(file));
  });
});

/** A text that is written as a number or a list is read, but an editor should rather say what is meant. */
const isWeaklyTyped = ({ kind }: Setting, value: unknown) =>
  (["text", "url", "secret"].includes(kind) && typeof value !== "string") ||
  (kind === "list" && !Array.isArray(value)) ||
  (kind !== "list" && Array.isArray(value)) ||
  (kind === "integer" && typeof value === "string");
