import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { parse } from "yaml";
import { ROOT } from "../../deploy/build.ts";
import { settingsDocs } from "../../deploy/docs.ts";
import { DEPLOYMENT_SETTINGS, type DeploymentSetting } from "../../lib/settings/deployment-settings.ts";
import { FUNCTION_SETTINGS, type FunctionSetting } from "../../lib/settings/function-settings.ts";
import { defaultText } from "../../lib/settings/setting.ts";

/** Of the local stack alone: a deployment has ingestAuth. */
const LOCAL = "INGEST_AUTH";
/** A stage of gatehook.json has members of these names. */
const OF_STAGE = ["region", "tags"];
/** A reference to a secret. */
const SECRET = "GATEWAY_SECRET";
/** Names of what each stage has for itself. */
const NAMED_BY_STAGE = ["metricsNamespace", "REFERENCE_PARAMETERS", "REFERENCE_SECRETS"];

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
      if (name === SECRET) continue;
      // biome-ignore lint/suspicious/noTemplateCurlyInString: the Serverless Framework's own
      if (NAMED_BY_STAGE.includes(name)) assert.ok(params.default[name].includes("${sls:stage}"), name);
      else assert.equal(String(params.default[name] ?? ""), defaultText(setting), name);
    }
  });
});
