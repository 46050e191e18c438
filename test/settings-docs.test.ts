import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { parse } from "yaml";
import { ROOT } from "../deploy/build.ts";
import { settingsDocs } from "../deploy/docs.ts";
import { DEPLOYMENT_SETTINGS, type DeploymentSetting } from "../lib/settings/deployment-settings.ts";
import { FUNCTION_SETTINGS, type FunctionSetting } from "../lib/settings/function-settings.ts";
import { defaultText } from "../lib/settings/setting.ts";

/** Of the local stack alone: a deployment has ingestAuth. */
const LOCAL = "INGEST_AUTH";
/** A stage of gatehook.json has members of these names. */
const OF_STAGE = ["region", "tags"];
/** A reference to a secret, and a name made of others. */
const MADE = ["GATEWAY_SECRET", "metricsNamespace"];

describe("the settings", () => {
  it("stand in docs/settings.md as the source has them (npm run docs writes them)", () => {
    assert.equal(readFileSync(`${ROOT}docs/settings.md`, "utf8"), settingsDocs());
  });

  it("are the parameters of serverless.yml, with the same defaults", () => {
    const { params } = parse(readFileSync(`${ROOT}serverless.yml`, "utf8"), { logLevel: "silent" });
    const ofFunctions = Object.entries<FunctionSetting>(FUNCTION_SETTINGS).filter(
      ([name, { resource }]) => !resource && name !== LOCAL,
    );
    const expected = [...ofFunctions, ...Object.entries<DeploymentSetting>(DEPLOYMENT_SETTINGS)];
    const names = [...expected.map(([name]) => name), ...OF_STAGE];
    assert.deepEqual(Object.keys(params.default).sort(), names.sort());
    for (const [name, setting] of expected) {
      if (!MADE.includes(name)) assert.equal(String(params.default[name] ?? ""), defaultText(setting), name);
    }
  });
});
