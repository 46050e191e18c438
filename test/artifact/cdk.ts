// npm run test:cdk: the CDK of docs/deploy.md makes the template that `gatehook package --template` writes. aws-cdk-lib is
// 186 MB, so it is installed from npm's registry into a folder of its own, which is removed at the end.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { after, before, describe, it } from "node:test";
import { promisify } from "node:util";
import { ROOT } from "../../deploy/build.ts";
import { ofType, type Template } from "../../deploy/template.ts";
import { runCli } from "../helpers/cli.ts";
import { type Folder, ownFolder } from "../helpers/folder.ts";

const run = promisify(execFile);
const PACKAGES = ["aws-cdk-lib@2", "constructs@10"];

const [, EXAMPLE = ""] =
  /```js\n(import \{ CfnInclude \}.*?)```/s.exec(readFileSync(`${ROOT}docs/deploy.md`, "utf8")) ?? [];
const APP = `
import { App, LegacyStackSynthesizer, Stack } from "aws-cdk-lib";
const app = new App({ analyticsReporting: false, outdir: "cdk.out" });
const stack = new Stack(app, "Shop", { synthesizer: new LegacyStackSynthesizer() });
${EXAMPLE}
app.synth();
`;

const VARIANTS: Record<string, Record<string, string>> = {
  "what is there by default": {},
  "a gateway, FIFO queues and an alarm's address": {
    GATEWAY_URL: "https://gateway.example.com",
    queue: "fifo",
    alarmEmail: "ops@example.com",
  },
  "a private network": { subnetIds: "subnet-0123456789abcdef0", securityGroupIds: "sg-0123456789abcdef0" },
};

describe("the CDK's template", () => {
  let folder: Folder;
  before(async () => {
    folder = await ownFolder({ name: "shop" });
    await folder.write("package.json", { private: true, type: "module" });
    await folder.write("app.js", APP);
    await run("npm", ["install", "--no-audit", "--no-fund", "--silent", ...PACKAGES], { cwd: folder.dir });
  });
  after(() => folder.remove());

  const read = (file: string) => JSON.parse(readFileSync(folder.path(file), "utf8")) as Template;

  for (const [what, settings] of Object.entries(VARIANTS))
    it(`is that of gatehook package with ${what}`, async () => {
      const set = Object.entries(settings).flatMap(([name, value]) => ["--set", `${name}=${value}`]);
      const made = await runCli(["package", "--stage", "prod", "--template", "out", ...set], {
        cwd: folder.dir,
      });
      assert.equal(made.code, 0, made.stderr);
      await run(process.execPath, ["app.js"], { cwd: folder.dir });
      assert.deepEqual(read("cdk.out/Shop.template.json"), asWritten(read("out/template.json")));
    });
});

/** As the CDK writes the same: with the example's parameters, a list of one for what it depends on, and lists that are split. */
function asWritten({ Parameters, ...template }: Template): Omit<Template, "Parameters"> {
  assert.deepEqual(Object.keys(Parameters ?? {}), ["CodeBucket", "CodePrefix"]);
  for (const [, { Properties }] of ofType(template, "AWS::Lambda::Function")) {
    const { S3Key } = Properties.Code as { S3Key: { "Fn::Sub": string } };
    const key = S3Key["Fn::Sub"].replace(`\${CodePrefix}`, "gatehook/");
    Properties.Code = { S3Bucket: "my-code-bucket", S3Key: { "Fn::Sub": key } };
  }
  return JSON.parse(JSON.stringify(template), (name, value) => {
    if (name === "DependsOn" && typeof value === "string") return [value];
    const [separator, text] = value?.["Fn::Split"] ?? [];
    return typeof text === "string" ? text.split(separator) : value;
  });
}
