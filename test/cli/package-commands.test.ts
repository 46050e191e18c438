// `gatehook package` and `eject` in a folder of one's own: what each writes is the same template.
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { after, before, describe, it } from "node:test";
import { unzipSync } from "fflate";
import { functionNames, ROOT } from "../../deploy/build.ts";
import { findOsls, runOsls } from "../../deploy/osls.ts";
import { ofType, type Template } from "../../deploy/template.ts";
import { runCli } from "../helpers/cli.ts";
import { type Folder, ownFolder } from "../helpers/folder.ts";

const PROJECT = {
  name: "shop",
  settings: { MAX_ATTEMPTS: 3, HTTP_ALLOW_HOSTS: ["10.0.0.0/8"], INGEST_AUTH: "none" },
  tags: { team: "payments" },
  stages: {
    local: { settings: { MAX_ATTEMPTS: 1 } },
    test: {
      region: "eu-central-1",
      settings: { HTTP_ALLOW_HOSTS: "", logRetention: 90, alarmEmail: "a@b.example" },
    },
    prod: {
      region: "eu-west-1",
      settings: { INGEST_TOKEN: "{{resolve:secretsmanager:shop/token}}", ALLOW_MASTER_KEYS: true },
      resources: { stateTable: "arn:aws:dynamodb:eu-west-1:123456789012:table/state" },
    },
  },
};

const read = (file: string) => JSON.parse(readFileSync(file, "utf8")) as Template;

/** Without what is new in each packaging: where the framework uploads the code to. */
function withoutCode(template: Template): Template {
  for (const [, { Properties }] of ofType(template, "AWS::Lambda::Function")) delete Properties.Code;
  return template;
}

function variables({ Resources }: Template, id: string): Record<string, unknown> {
  const { Environment } = Resources[id]?.Properties ?? {};
  return (Environment as { Variables: Record<string, unknown> }).Variables;
}

describe("gatehook package and eject", () => {
  let folder: Folder;
  before(async () => {
    folder = await ownFolder(PROJECT);
  });
  after(() => folder.remove());

  const gatehook = (...args: string[]) => runCli(args, { cwd: folder.dir });
  const template = (stage: string) => read(folder.path(`.gatehook/package/${stage}/template.json`));

  it("packages two stages at the same time, each with its own settings", async () => {
    const [test, prod] = await Promise.all([
      gatehook("package", "--stage", "test"),
      gatehook("package", "--stage", "prod", "--json"),
    ]);
    assert.deepEqual([test.code, prod.code], [0, 0], test.stderr + prod.stderr);
    for (const name of functionNames()) assert.match(test.stdout, new RegExp(`^${name} +\\d+ kB$`, "m"));
    assert.match(test.stdout, /shop-test is packaged in \.gatehook\/package\/test$/m);
    const { stack, region, functions, warnings } = JSON.parse(prod.stdout);
    assert.deepEqual([stack, region, functions.length, warnings], ["shop-prod", "eu-west-1", 6, []]);
    assert.deepEqual(readdirSync(folder.path(".gatehook/package")).sort(), ["prod", "test"]);

    const ofTest = variables(template("test"), "ConsumerLambdaFunction");
    assert.deepEqual(
      [ofTest.MAX_ATTEMPTS, ofTest.HTTP_ALLOW_HOSTS, ofTest.ALLOW_MASTER_KEYS],
      ["3", "", "false"],
    );
    assert.equal(template("test").Resources.ConsumerLogGroup?.Properties.RetentionInDays, 90);
    const ofProd = variables(template("prod"), "ConsumerLambdaFunction");
    assert.deepEqual([ofProd.HTTP_ALLOW_HOSTS, ofProd.ALLOW_MASTER_KEYS], ["10.0.0.0/8", "true"]);
    assert.match(
      JSON.stringify(variables(template("prod"), "IngestLambdaFunction")),
      /secretsmanager:shop\/token/,
    );
    assert.equal(variables(template("prod"), "IngestLambdaFunction").INGEST_AUTH, "token");
    assert.ok(!("IngestToken" in template("prod").Resources));
  });

  it("has each function whole in its zip", () => {
    for (const name of functionNames()) {
      const zip = unzipSync(readFileSync(folder.path(`.gatehook/package/test/${name}.zip`)));
      assert.ok(`dist/${name}/index.mjs` in zip, name);
      assert.deepEqual(
        Object.keys(zip).filter((path) => path.endsWith(".map")),
        [],
      );
    }
  });

  it("ejects a serverless.yml from which the framework itself makes the same template", async () => {
    const { code, stderr, stdout } = await gatehook("eject");
    assert.equal(code, 0, stderr);
    assert.match(stdout, /written: serverless\.yml, infra, dist\/functions\n.*npx osls deploy --stage test/);
    const osls = findOsls(ROOT) ?? "";
    for (const stage of ["test", "prod"]) {
      await runOsls(osls, ["package", "--stage", stage], { cwd: folder.dir, env: process.env });
      const ejected = read(folder.path(".serverless/cloudformation-template-update-stack.json"));
      assert.deepEqual(withoutCode(ejected), withoutCode(template(stage)));
      const state = readFileSync(folder.path(".serverless/serverless-state.json"), "utf8");
      const { region, stackTags } = JSON.parse(state).service.provider;
      assert.deepEqual(
        [region, stackTags],
        [PROJECT.stages[stage as "test"].region, { service: "shop", team: "payments" }],
      );
    }
  });

  it("overwrites nothing that is there", async () => {
    const { code, stderr } = await gatehook("eject");
    assert.equal(code, 2);
    assert.match(stderr, /serverless\.yml, infra, dist\/functions would be overwritten/);
  });

  it("writes the same template for other tools, with parameters for the code", async () => {
    await folder.write("out/functions/consumer-0123456789abcdef.zip", "of before");
    await folder.write("out/functions/mine.zip", "of somebody");
    const { code, stderr } = await gatehook("package", "--stage", "prod", "--template", "out");
    assert.equal(code, 0, stderr);
    const portable = read(folder.path("out/template.json"));
    assert.deepEqual(Object.keys(portable.Parameters ?? {}), ["CodeBucket", "CodePrefix"]);
    const zips = readdirSync(folder.path("out/functions"));
    assert.equal(zips.length, functionNames().length + 1);
    for (const [id, { Properties }] of ofType(portable, "AWS::Lambda::Function")) {
      const { S3Bucket, S3Key } = Properties.Code as { S3Bucket: unknown; S3Key: { "Fn::Sub": string } };
      assert.deepEqual(S3Bucket, { Ref: "CodeBucket" });
      const [, key = ""] = /^\$\{CodePrefix\}([a-z-]+-[0-9a-f]{16}\.zip)$/.exec(S3Key["Fn::Sub"]) ?? [];
      assert.ok(zips.includes(key), id);
      const [, name] = String(Properties.Handler).split("/");
      assert.ok(`dist/${name}/index.mjs` in unzipSync(readFileSync(folder.path(`out/functions/${key}`))), id);
    }
    const expected = withoutCode(template("prod"));
    const ofFramework = ["ServerlessDeploymentBucket", "ServerlessDeploymentBucketPolicy"];
    for (const id of ofFramework) delete expected.Resources[id];
    delete expected.Outputs?.ServerlessDeploymentBucketName;
    const { Parameters, ...rest } = withoutCode(portable);
    assert.deepEqual(rest, expected);
    assert.ok(
      !ofFramework.some((id) => JSON.stringify(rest).includes(`"${id}"`)),
      "refers to what is not there",
    );
  });

  it("stops at a stage that would not work, and writes nothing", async () => {
    const { code, stdout, stderr } = await gatehook("package", "--stage", "test", "--set", "RECEIVE_LIMIT=3");
    assert.deepEqual([code, stdout], [1, ""]);
    assert.match(
      stderr,
      /shop-test would not work:\n {2}RECEIVE_LIMIT is 3, but must be more than MAX_ATTEMPTS, 3/,
    );
    assert.equal(variables(template("test"), "ConsumerLambdaFunction").RECEIVE_LIMIT, "50");
  });

  it("warns of a consumer with less memory than its handlers may fill", async () => {
    const set = ["RUNTIME_WORKERS=4", "RUNTIME_ISOLATION=event", "consumerMemory=256"].flatMap((one) => [
      "--set",
      one,
    ]);
    const { code, stderr } = await gatehook("package", "--stage", "test", ...set);
    assert.equal(code, 0);
    assert.match(stderr, /warning {2}consumerMemory is 256 MB, but the handlers may fill 502 MB/);
  });
});

describe("gatehook package", () => {
  let folder: Folder;
  before(async () => {
    folder = await ownFolder();
  });
  after(() => folder.remove());

  const gatehook = (...args: string[]) => runCli(args, { cwd: folder.dir });
  /** A program in place of the framework's. */
  const stub = (program: string) => folder.write("node_modules/osls/bin/serverless.js", program);

  it("says so where it cannot write", async () => {
    await folder.write(".gatehook", "a file");
    const { code, stderr } = await gatehook("package");
    assert.equal(code, 2);
    assert.match(stderr, /\.gatehook\/package cannot be written to: /);
    assert.ok(!existsSync(folder.path("serverless.yml")));
    rmSync(folder.path(".gatehook"));
  });

  it("tells the framework's error, and not where it ran", async () => {
    await stub(
      `console.error("\\x1b[31mError:\\x1b[39m\\nno such thing\\n\\nEnvironment: here\\nDocs: there"); process.exit(1);`,
    );
    const { code, stdout, stderr } = await gatehook("package");
    assert.deepEqual([code, stdout, stderr], [1, "", "gatehook: osls package failed: no such thing\n"]);
  });

  it("ends the framework when it is told to end", async () => {
    await stub(
      `require("node:fs").writeFileSync(${JSON.stringify(folder.path("started"))}, ""); setInterval(() => {}, 1000);`,
    );
    const start = (child: ChildProcess) => {
      const look = setInterval(() => {
        if (!existsSync(folder.path("started"))) return;
        clearInterval(look);
        child.kill("SIGINT");
      }, 20);
    };
    const { code, stderr, leftovers } = await runCli(["package"], { cwd: folder.dir, onStart: start });
    assert.deepEqual([code, leftovers], [1, false]);
    assert.match(stderr, /osls package was stopped/);
  });

  it("says how to install the framework where it is not there", async () => {
    // As if it were installed nowhere.
    const hide = `
      const { Module } = require("node:module");
      const resolve = Module._resolveFilename;
      Module._resolveFilename = (name, ...rest) => {
        if (name.startsWith("osls/")) throw new Error("hidden");
        return resolve(name, ...rest);
      };`;
    await folder.write("hide.cjs", hide);
    const env = { NODE_OPTIONS: `--require=${folder.path("hide.cjs")}` };
    const { code, stderr } = await runCli(["package"], { cwd: folder.dir, env });
    assert.equal(code, 1);
    assert.match(
      stderr,
      /osls, which packages and deploys the functions, is not installed: npm install --save-dev osls/,
    );
  });
});

describe("serverless.yml", () => {
  it("is what npm run build makes the zips for", async () => {
    const zips = [
      ...readFileSync(`${ROOT}serverless.yml`, "utf8").matchAll(/artifact: dist\/functions\/([a-z-]+)\.zip/g),
    ];
    assert.deepEqual(zips.map(([, name]) => name).sort(), functionNames().sort());
    const child = spawn(process.execPath, [findOsls(ROOT) ?? "", "--version"], { stdio: "ignore" });
    const [code] = await once(child, "close");
    assert.equal(code, 0);
  });
});
