// Which stage a command works with, and what it says of a gatehook.json, a stage or a setting that cannot be.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { readTarget, type StageOptions } from "../../cli/stage/target.ts";
import { UsageError } from "../../cli/terminal/usage.ts";
import { runCli } from "../helpers/cli.ts";
import { type Folder, ownFolder } from "../helpers/folder.ts";

const QUEUE = "arn:aws:sqs:eu-west-1:123456789012:events";
const TABLE = "arn:aws:dynamodb:eu-west-1:123456789012:table/sessions";

/** A stage `prod` with these members. */
const prod = (members: object, others: object = {}) => ({ stages: { prod: members }, ...others });

describe("the stage of a command", () => {
  let folder: Folder;
  before(async () => {
    folder = await ownFolder();
  });
  after(() => folder.remove());

  async function target(project: object | string, options: Partial<StageOptions> = {}) {
    await folder.write("gatehook.json", project);
    return readTarget({ dir: folder.dir, ...options });
  }
  const refused = (project: object | string, options: Partial<StageOptions>, ...said: RegExp[]) =>
    assert.rejects(target(project, options), (thrown: Error) => {
      assert.ok(thrown instanceof UsageError, thrown.stack);
      for (const words of said) assert.match(thrown.message, words);
      return true;
    });

  it("is the one that is named, or the only one, or dev", async () => {
    assert.equal((await target({})).stack, "gatehook-dev");
    assert.equal((await target({ stages: { local: {} } }, { stage: "any" })).stack, "gatehook-any");
    assert.equal((await target({ name: "shop", ...prod({}) })).stack, "shop-prod");
    assert.equal((await target({ stages: { a: {}, b: {} } }, { stage: "b" })).stack, "gatehook-b");
  });

  it("has what gatehook.json says of it before what it says of all, and the command line before both", async () => {
    const project = {
      settings: {
        MAX_ATTEMPTS: 1,
        batchSize: 2,
        HTTP_ALLOW_HOSTS: ["a", "b"],
        logRetention: 90,
        INGEST_AUTH: "none",
      },
      stages: {
        prod: { region: "eu-west-1", settings: { batchSize: 3, HTTP_ALLOW_HOSTS: "", logRetention: "" } },
      },
    };
    const { region, parameters } = await target(project, { set: { batchSize: "4" } });
    assert.equal(region, "eu-west-1");
    // Empty is the default again: no hosts, 30 days. INGEST_AUTH is the local stack's.
    assert.deepEqual(parameters, {
      MAX_ATTEMPTS: "1",
      batchSize: "4",
      HTTP_ALLOW_HOSTS: "",
      logRetention: "30",
    });
    assert.equal((await target(project, { region: "us-east-1" })).region, "us-east-1");
  });

  it("asks first for prod and its like, unless gatehook.json says otherwise", async () => {
    const asks = async (stage: string) => (await target({}, { stage })).confirm;
    for (const stage of ["prod", "production", "live", "eu-prod", "prod-2"])
      assert.equal(await asks(stage), true, stage);
    for (const stage of ["dev", "product", "delivery", "staging"])
      assert.equal(await asks(stage), false, stage);
    assert.equal((await target(prod({ confirm: false }))).confirm, false);
    assert.equal((await target({ stages: { staging: { confirm: true } } })).confirm, true);
  });

  it("has to be there, and to have a name that AWS takes", async () => {
    const two = { stages: { local: {}, staging: {}, prod: {} } };
    await refused(two, {}, /name a stage with --stage: staging, prod/);
    await refused(
      two,
      { stage: "stagin" },
      /no stage stagin: did you mean staging\? gatehook\.json has staging, prod/,
    );
    await refused(two, { stage: "x" }, /there is no stage x: gatehook\.json has staging, prod/);
    await refused(two, { stage: "local" }, /local is the local stack, which gatehook dev starts/);
    await refused({}, { stage: "Prod" }, /--stage must be .* lower-case/);
    await refused({}, { stage: "default" }, /--stage must be .*not default/);
    await refused({}, { region: "Ireland" }, /--region must be a region, such as eu-west-1/);
    const name = "a-name-of-thirty-characters-it";
    await refused({ name }, { stage: "stage" }, /have 35 characters together, and may have 34/);
    assert.equal((await target({ name }, { stage: "prod" })).stack.length, 35);
  });

  it("names each line at fault in gatehook.json", async () => {
    const cases: [text: string, ...said: RegExp[]][] = [
      ['{\n  "name": "Shop"\n}', /gatehook\.json:2: name is "Shop", but must be 2 to 30 lower-case/],
      ['{\n  "nam": "shop"\n}', /gatehook\.json:2: there is no member nam: did you mean name\?/],
      ['{ "stages": {\n "Prod": {} } }', /gatehook\.json:2: the name of stages\.Prod must be/],
      [
        '{ "stages": { "prod": {\n "settings": { "batchSiz": 3 } } } }',
        /:2: there is no setting batchSiz \(did you mean batchSize\?\)/,
      ],
      [
        '{ "stages": { "prod": {\n "region": "Ireland" } } }',
        /:2: stages\.prod\.region is "Ireland", but must be a region/,
      ],
      ['{ "stages": { "prod": {\n "confirm": "yes" } } }', /:2: stages\.prod\.confirm must be true or false/],
      [
        '{ "stages": { "prod": {\n "resources": { "eventQueue": "x" } } } }',
        /:2: .*did you mean eventsQueue\?/,
      ],
      [
        `{ "stages": { "prod": {\n "resources": { "stateTable": "${QUEUE}" } } } }`,
        /:2: stages\.prod\.resources\.stateTable is "arn:aws:sqs:.*", but must be the ARN of a table, such as arn:/,
      ],
      [
        '{ "stages": { "prod": {\n "domain": { "name": "a.example" } } } }',
        /:2: stages\.prod\.domain\.certificate is missing/,
      ],
      [
        '{ "stages": { "local": {\n "region": "eu-west-1" } } }',
        /:2: there is no member stages\.local\.region: it may be settings/,
      ],
      ['{ "tags": {\n "aws:x": "y" } }', /:2: the name of tags\.aws:x must be .*not begin with aws:/],
      [
        `{ "settings": {\n "eventsQueueArn": "${QUEUE}" } }`,
        /:2: eventsQueueArn .*it is stages\.<stage>\.resources\.eventsQueue/,
      ],
      ['{ "settings": {\n "alarmEmail": "ops" } }', /:2: alarmEmail is "ops", but must be an e-mail address/],
    ];
    for (const [text, ...said] of cases) await refused(text, { stage: "prod" }, ...said);
  });

  it("never has a secret in gatehook.json or on the command line, and shows none", async () => {
    const secret = "0123456789-a-secret";
    for (const name of ["GATEWAY_SECRET", "INGEST_TOKEN", "KEYS_API_SECRET"]) {
      const said = new RegExp(
        `${name} must be a reference, such as \\{\\{resolve:secretsmanager:.*create-secret`,
      );
      for (const value of [secret, `{{resolve:ssm-secure:${secret}}}`]) {
        const isHidden = (thrown: Error) => {
          assert.match(thrown.message, said);
          assert.ok(!thrown.message.includes(secret));
          return true;
        };
        await assert.rejects(target({ settings: { [name]: value } }), isHidden);
        await assert.rejects(target(prod({ settings: { [name]: value } })), isHidden);
        await assert.rejects(target({}, { set: { [name]: value } }), isHidden);
      }
      const reference = "{{resolve:secretsmanager:shop/secret:SecretString:one}}";
      assert.equal((await target(prod({ settings: { [name]: reference } }))).parameters[name], reference);
    }
  });

  it("refuses settings that do not go together", async () => {
    const stream = `${TABLE}/stream/2026-01-01T00:00:00.000`;
    const cases: [object, RegExp][] = [
      [
        prod({ settings: { queue: "fifo", batchSize: 11 } }),
        /batchSize is 11, but with queue fifo at most 10/,
      ],
      [
        prod({ settings: { queue: "fifo" }, resources: { eventsQueue: QUEUE } }),
        /eventsQueue is not a FIFO queue, but the setting queue is fifo/,
      ],
      [
        prod({ resources: { deadLettersQueue: `${QUEUE}.fifo` } }),
        /deadLettersQueue is a FIFO queue, but the setting queue is standard/,
      ],
      [
        prod({ region: "eu-west-2", resources: { eventsQueue: QUEUE } }),
        /eventsQueue is in eu-west-1, but the stage in eu-west-2/,
      ],
      [
        prod({ settings: { GATEWAY_URL: "https://g.example" }, resources: { sessionsTable: TABLE } }),
        /needs resources\.sessionsStream .*--table-name sessions/,
      ],
      [
        prod({
          resources: { sessionsTable: TABLE, sessionsStream: stream.replace("/sessions/", "/other/") },
        }),
        /must be the stream of resources\.sessionsTable/,
      ],
      [prod({ resources: { sessionsStream: stream } }), /must be the stream of resources\.sessionsTable/],
      [prod({ settings: { subnetIds: "subnet-1" } }), /subnetIds and securityGroupIds are set together/],
      [
        prod({
          settings: {
            GATEWAY_URL: "https://g.example",
            KEYS_API_SECRET: "{{resolve:secretsmanager:shop/keys}}",
          },
        }),
        /KEYS_API_SECRET is not set with a GATEWAY_URL/,
      ],
      [
        prod({ settings: { WEBHOOK_TIMEOUT_MS: 30_000, consumerTimeout: 20 } }),
        /with WEBHOOK_TIMEOUT_MS at 30000, consumerTimeout must be 35 seconds at least, and is 20/,
      ],
      [prod({ settings: { RUNTIME_WORKERS: 4 } }), /RUNTIME_WORKERS is 4, but where events share globals/],
      [
        prod({ settings: { INGEST_AUTH: "none" } }),
        /INGEST_AUTH counts in the local stack only: a deployment has ingestAuth/,
      ],
      // biome-ignore lint/suspicious/noTemplateCurlyInString: the framework's own
      [prod({ settings: { GATEWAY_CANARY: "a-${env:HOME}" } }), /GATEWAY_CANARY has \$\{…\} in it/],
    ];
    for (const [project, said] of cases) await refused(project, {}, said);
    const whole = {
      sessionsTable: TABLE,
      sessionsStream: stream,
      permissionsBoundary: "arn:aws:iam::aws:policy/x",
    };
    const settings = { GATEWAY_URL: "https://g.example", queue: "fifo", batchSize: 10 };
    await target(
      prod({ region: "eu-west-1", settings, resources: { ...whole, eventsQueue: `${QUEUE}.fifo` } }),
    );
  });

  it("ends a command with 2 where there is no folder of one's own, or a setting is not one", async () => {
    await folder.write("elsewhere/readme.md", "");
    const cases: [args: string[], RegExp][] = [
      [
        ["package", "--dir", folder.path("elsewhere")],
        /has no gatehook\.json, apis\/ or handlers\/: .*--dir/,
      ],
      [["eject", "--dir", folder.path("nowhere")], /has no gatehook\.json/],
      [["deploy", "--set", "queue=fifoo"], /--set: queue is "fifoo", but must be standard or fifo/],
      [["deploy", "--set", "STATE_TABLE=mine"], /--set: STATE_TABLE is made by the stack/],
      [["remove", "--set", "queue=fifo"], /unknown option/],
      [["package", "--stag", "prod"], /unknown option/],
    ];
    await folder.write("gatehook.json", {});
    for (const [args, said] of cases) {
      const { code, stdout, stderr } = await runCli(args, { cwd: folder.dir });
      assert.deepEqual([code, stdout], [2, ""], args.join(" "));
      assert.match(stderr, said);
    }
  });
});
