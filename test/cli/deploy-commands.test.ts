// `gatehook deploy` and `remove`, through the framework itself, against an AWS that answers in its own protocols.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { CreateBucketCommand, PutObjectCommand } from "@aws-sdk/client-s3";
import { runCli } from "../helpers/cli.ts";
import { ACCOUNT, type FakeAws, functionsOf, startFakeAws } from "../helpers/fake-aws.ts";
import { type Folder, ownFolder } from "../helpers/folder.ts";

const PROJECT = {
  name: "shop",
  settings: { MAX_ATTEMPTS: 3 },
  tags: { team: "payments" },
  stages: {
    prod: { region: "eu-west-1", settings: { consumerMemory: 512 }, tags: { cost: "a/b" } },
    test: { region: "eu-central-1", settings: { onRemove: "Delete" } },
  },
};

describe("gatehook deploy and remove", () => {
  let aws: FakeAws;
  let folder: Folder;
  before(async () => {
    [aws, folder] = await Promise.all([startFakeAws(), ownFolder(PROJECT)]);
  });
  after(async () => {
    await aws.close();
    await folder.remove();
  });

  const gatehook = (...args: string[]) => runCli(args, { cwd: folder.dir, env: aws.env });

  it("asks before it writes to a stage like prod, and asks AWS nothing where nobody can answer", async () => {
    const { code, stdout, stderr } = await gatehook("deploy", "--stage", "prod");
    assert.deepEqual([code, stdout, aws.actions], [2, "", []]);
    assert.match(stderr, /this writes to shop-prod, and there is no terminal to confirm it: add --yes/);
  });

  it("makes the stack, and says where events go, where the token is, and how to push", async () => {
    const { code, stdout, stderr } = await gatehook("deploy", "--stage", "prod", "--yes");
    assert.equal(code, 0, stderr);
    assert.match(stderr, new RegExp(`deploy shop-prod in account ${ACCOUNT}, region eu-west-1`));
    assert.match(
      stdout,
      /events {4}POST https:\/\/shop-prod-httpapi\.execute-api\.eu-west-1\.amazonaws\.com\/events\//,
    );
    assert.match(stdout, /get-secret-value --region eu-west-1 --secret-id shop-prod-ingesttoken /);
    assert.match(stdout, /npx gatehook push --stage prod\n/);
    const stack = aws.stacks.get("shop-prod");
    assert.ok(stack);
    assert.equal(functionsOf(stack).length, 6);
    assert.deepEqual(stack.tags, { STAGE: "prod", service: "shop", team: "payments", cost: "a/b" });
    const { MemorySize, Environment } = stack.template.Resources.ConsumerLambdaFunction?.Properties ?? {};
    assert.equal(MemorySize, 512);
    assert.equal((Environment as { Variables: Record<string, unknown> }).Variables.MAX_ATTEMPTS, "3");
    // What the framework says of each resource is not for a person.
    assert.doesNotMatch(stderr, /_COMPLETE - AWS::(?!CloudFormation::Stack)/);
  });

  it("says where events go when ingest has a URL of its own", async () => {
    const set = ["--set", "ingestUrl=function"];
    const { code, stdout, stderr } = await gatehook("deploy", "--stage", "prod", "--yes", ...set);
    assert.equal(code, 0, stderr);
    assert.match(stdout, /events {4}POST shop-prod-ingesturl\.FunctionUrl\/events\/<api_id>/);
  });

  it("lets the other commands find the stack by its stage", async () => {
    await folder.write("apis/orders.json", { api_id: "orders" });
    await folder.write("handlers/none.js", "");
    const listed = await gatehook("push", "--stage", "prod", "--dry-run");
    // The bucket is named by the stack's outputs: this AWS has made none.
    assert.match(listed.stderr, /there is no bucket shop-prod-123456789012-eu-west-1/);
    assert.match(listed.stderr, new RegExp(`shop-prod in account ${ACCOUNT}, region eu-west-1`));

    assert.doesNotMatch(listed.stderr, /deployed by version/);

    const told: [args: string[], code: number, said: RegExp][] = [
      [["push", "--stage", "prod"], 2, /this writes to shop-prod, and there is no terminal to confirm it/],
      [["dlq", "redrive", "--all", "--stage", "prod"], 2, /this writes to shop-prod/],
      [["releases", "--stage", "prodd"], 2, /there is no stage prodd: did you mean prod\?/],
      [["releases", "--stage", "test"], 1, /there is no stack shop-test in account \d+, region eu-central-1/],
      [["releases", "--stage", "prod", "--local"], 2, /--local and --stage are two stacks/],
      [["releases", "--region", "eu-west-1"], 2, /--region goes with --stage/],
    ];
    for (const [args, code, said] of told) {
      const result = await gatehook(...args);
      assert.match(result.stderr, said);
      assert.equal(result.code, code, args.join(" "));
    }
  });

  it("says when another version has deployed the stage", async () => {
    const { Outputs = {} } = aws.stacks.get("shop-prod")?.template ?? {};
    const output = Outputs.GatehookVersion as { Value: string };
    const { Value: version } = output;
    output.Value = "0.0.9";
    const { stderr } = await gatehook("releases", "--stage", "prod");
    output.Value = version;
    assert.match(
      stderr,
      new RegExp(`^gatehook: shop-prod was deployed by version 0\\.0\\.9, and this is ${version}$`, "m"),
    );
  });

  it("tells in one line which resource failed, and why", async () => {
    aws.broken = { id: "StateTable", reason: "shop-test-state already exists" };
    const { code, stderr } = await gatehook("deploy", "--stage", "test");
    aws.broken = undefined;
    assert.equal(code, 1);
    assert.match(
      stderr,
      /gatehook: osls deploy failed: \w+_FAILED: StateTable \(AWS::DynamoDB::Table\)\n {2}shop-test-state already exists\n/,
    );
  });

  it("updates a stack, and tells one JSON object", async () => {
    const { code, stdout, stderr } = await gatehook("deploy", "--stage", "test", "--json");
    assert.equal(code, 0, stderr);
    const { stack, account, region, stage, outputs } = JSON.parse(stdout);
    assert.deepEqual([stack, account, region, stage], ["shop-test", ACCOUNT, "eu-central-1", "test"]);
    assert.equal(outputs.StateTable, "shop-test-statetable");
    assert.equal(aws.stacks.get("shop-test")?.status, "UPDATE_COMPLETE");
  });

  it("stops before the deployment at a stage that would not work", async () => {
    const before = aws.actions.length;
    const { code, stderr } = await gatehook("deploy", "--stage", "test", "--set", "visibilityTimeout=30");
    assert.equal(code, 1);
    assert.match(
      stderr,
      /shop-test would not work:\n.*VisibilityTimeout of EventsQueue is 30 s, but must be .* 360 s/,
    );
    assert.deepEqual(aws.actions.slice(before), ["GetCallerIdentity"]);
  });

  it("says what is missing where AWS knows neither who calls nor where", async () => {
    const env = {
      ...aws.env,
      AWS_ACCESS_KEY_ID: "",
      AWS_SECRET_ACCESS_KEY: "",
      AWS_EC2_METADATA_DISABLED: "true",
    };
    const nobody = await runCli(["deploy", "--stage", "test"], { cwd: folder.dir, env });
    assert.equal(nobody.code, 1);
    assert.match(nobody.stderr, /AWS does not say who calls: .*Set AWS_PROFILE, or AWS_ACCESS_KEY_ID/);
    const elsewhere = await ownFolder();
    const nowhere = await runCli(["deploy"], { cwd: elsewhere.dir, env: { ...aws.env, AWS_REGION: "" } });
    await elsewhere.remove();
    assert.equal(nowhere.code, 2);
    assert.match(
      nowhere.stderr,
      /no region: add --region, or give the stage a region in gatehook\.json, or set AWS_REGION/,
    );
  });

  it("holds what is given against the region that the environment names", async () => {
    const eventsQueue = `arn:aws:sqs:eu-west-1:${ACCOUNT}:events`;
    const own = await ownFolder({ stages: { test: { resources: { eventsQueue } } } });
    const { code, stderr } = await runCli(["deploy"], {
      cwd: own.dir,
      env: { ...aws.env, AWS_REGION: "eu-west-2" },
    });
    await own.remove();
    assert.equal(code, 2);
    assert.match(stderr, /resources\.eventsQueue is in eu-west-1, but the stage in eu-west-2/);
  });
  it("always asks before it removes", async () => {
    const { code, stderr } = await gatehook("remove", "--stage", "test");
    assert.equal(code, 2);
    assert.match(stderr, /this writes to shop-test, .*--yes/);
    assert.ok(aws.stacks.has("shop-test"));
  });

  it("removes the stack, and names what stays", async () => {
    const { code, stdout, stderr } = await gatehook("remove", "--stage", "prod", "--yes");
    assert.equal(code, 0, stderr);
    for (const kept of [
      "queue shop-prod-eventsqueue",
      "table shop-prod-sessionstable",
      "bucket shop-prod-filesbucket",
    ])
      assert.match(stderr, new RegExp(`stays {4}${kept}\n`));
    assert.match(stdout, /shop-prod in account \d+, region eu-west-1: removed/);
    assert.deepEqual([...aws.stacks.keys()], ["shop-test"]);
  });

  it("says that there is no such stack", async () => {
    const { code, stderr } = await gatehook("remove", "--stage", "prod", "--yes");
    assert.equal(code, 1);
    assert.match(stderr, /there is no stack shop-prod in account \d+, region eu-west-1/);
  });

  it("does not begin where CloudFormation would stop halfway, at a bucket with files", async () => {
    const [files, history] = ["shop-test-filesbucket", "shop-test-historybucket"];
    for (const Bucket of [files, history]) await aws.s3.send(new CreateBucketCommand({ Bucket }));
    for (const [Bucket, Key] of [
      [history, "history/2026-12-24/a-1.json.gz"],
      [files, "apis/a.json"],
    ]) {
      await aws.s3.send(new PutObjectCommand({ Bucket, Key, Body: "{}" }));
      const { code, stderr } = await gatehook("remove", "--stage", "test", "--yes");
      assert.equal(code, 1);
      assert.match(stderr, new RegExp(`the bucket ${Bucket} is to be deleted too .*empty it first`));
      assert.ok(aws.stacks.has("shop-test"));
    }
  });
});
