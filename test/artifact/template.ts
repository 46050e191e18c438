import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { functionNames } from "../../deploy/build.ts";
import type { Artifact } from "../../deploy/package.ts";
import { ofType, type Resource, type Template } from "../../deploy/template.ts";
import { templateProblems } from "../../deploy/template-problems.ts";
import { KEYS_ROUTE } from "../../lib/keys/api.ts";
import { SESSION_ROUTES } from "../../lib/sessions/api.ts";
import { packageWith } from "../helpers/service.ts";
import { settingsOf } from "./function-settings.ts";
import { createResolver } from "./resolve.ts";

/** The other choice of each parameter that has few; without a GATEWAY_URL here. */
const OTHERWISE = {
  queue: "fifo",
  ingestAuth: "iam",
  ingestUrl: "function",
  onRemove: "Delete",
  formerIndex: "keep",
  tracing: "Active",
  alarmEmail: "operator@example.com",
  subnetIds: "subnet-0123456789abcdef0,subnet-0123456789abcdef1",
  securityGroupIds: "sg-0123456789abcdef0",
  KEYS_API_SECRET: "{{resolve:secretsmanager:gatehook/keys-secret}}",
};

/** What the artifact was packaged with, in place of its default. */
const GIVEN = "GATEWAY_URL";

/** Everything that brings a function its batches. */
const MAPPINGS = [
  "ConsumerEventSourceMappingSQSEventsQueue",
  "GatewayDashsyncEventSourceMappingDynamodbSessionsTable",
  "GatewayDashsyncEventSourceMappingSQSSyncQueue",
];

export function templateSuite(artifact: () => Artifact, folder: string): void {
  describe("the compiled template", () => {
    const changed = (change: (template: Template) => void) => {
      const template = structuredClone(artifact().template);
      change(template);
      return templateProblems(template);
    };
    const properties = (template: Template, id: string) =>
      template.Resources[id]?.Properties as Record<string, unknown>;

    const variables = (template: Template, id: string) =>
      (properties(template, id).Environment as { Variables: Record<string, unknown> }).Variables;

    it("has nothing that would go wrong on AWS", () => {
      assert.deepEqual(artifact().problems, []);
    });

    it("has nothing that would go wrong with the other choice of each parameter", async () => {
      const { template, problems } = await packageWith(folder, "dev", OTHERWISE);
      assert.deepEqual(problems, []);
      assert.match(properties(template, "EventsQueue").QueueName as string, /-events\.fifo$/);
      assert.equal(properties(template, "StateTable").DeletionProtectionEnabled, false);
      // Without a gateway nobody has made its secret: a reference to it would not deploy.
      const { GATEWAY_URL, GATEWAY_SECRET } = variables(template, "ConsumerLambdaFunction");
      const [condition, , otherwise] = (GATEWAY_SECRET as { "Fn::If": unknown[] })["Fn::If"];
      assert.deepEqual([GATEWAY_URL, condition, otherwise], ["", "GatewaySync", { Ref: "AWS::NoValue" }]);
      // The key API is there with its secret, and then alone.
      assert.equal(variables(template, "SessionsLambdaFunction").KEYS_API_SECRET, OTHERWISE.KEYS_API_SECRET);
      assert.equal(template.Resources.HttpApiRouteAnyTykPathVar?.Condition, "KeysApi");
      const ifOn = JSON.stringify(properties(template, "SessionsRole")).split('{"Fn::If":["KeysApi",')[1];
      assert.match(
        ifOn ?? "",
        /^\{"Effect":"Allow","Action":"dynamodb:Scan","Resource":\{"Fn::GetAtt":\["SessionsTable"/,
      );
      const isOn = (given: Template) => given.Conditions?.KeysApi;
      assert.deepEqual(isOn(template), { "Fn::Equals": ["on", "on"] });
      assert.deepEqual(isOn(artifact().template), { "Fn::Equals": ["off", "on"] });
    });

    it("is refused for what CloudFormation would take and only the run would show", () => {
      const MISTAKES: [RegExp, (template: Template) => void][] = [
        [
          /Nobody, which is not in the template/,
          (t) => (properties(t, "EventsQueue").QueueName = { Ref: "Nobody" }),
        ],
        // biome-ignore lint/suspicious/noTemplateCurlyInString: CloudFormation's own
        [/Nobody, which/, (t) => (properties(t, "EventsQueue").QueueName = { "Fn::Sub": "${Nobody.Arn}" })],
        [
          /VisibilityTimeout of EventsQueue is 359 s/,
          (t) => (properties(t, "EventsQueue").VisibilityTimeout = 359),
        ],
        [
          /VisibilityTimeout of SyncQueue is 359 s/,
          (t) => (properties(t, "SyncQueue").VisibilityTimeout = 359),
        ],
        [
          /SyncQueueAgeAlarm refers to SyncQueue, which is there only with GatewaySync/,
          (t) => delete t.Resources.SyncQueueAgeAlarm?.Condition,
        ],
        [
          /IngestToken refers to IngestToken, which is there only with TokenAuth/,
          (t) => delete t.Outputs?.IngestToken?.Condition,
        ],
        [
          /VisibilityTimeout of SyncQueue is undefined/,
          (t) => delete properties(t, "SyncQueue").VisibilityTimeout,
        ],
        [/SyncQueue has no RedrivePolicy/, (t) => delete properties(t, "SyncQueue").RedrivePolicy],
        ...MAPPINGS.map((id): [RegExp, (template: Template) => void] => [
          new RegExp(`${id} has no ReportBatchItemFailures`),
          (t) => delete properties(t, id).FunctionResponseTypes,
        ]),
        [
          /GATEWAY_TIMEOUT_MS is 7375/,
          (t) => (variables(t, "GatewayDashsyncLambdaFunction").GATEWAY_TIMEOUT_MS = 7_375),
        ],
        [/eventsRetention/, (t) => (properties(t, "DeadLettersQueue").MessageRetentionPeriod = 345_600)],
        [/LEDGER_TTL_SECONDS/, (t) => (properties(t, "EventsQueue").MessageRetentionPeriod = 700_000)],
        [
          /maxReceiveCount is 49/,
          (t) => (properties(t, "EventsQueue").RedrivePolicy = { maxReceiveCount: 49 }),
        ],
        [
          /GET \/sessions is open/,
          (t) => (properties(t, "HttpApiRouteGetSessions").AuthorizationType = "NONE"),
        ],
        [
          /IngestUrl is open to everybody/,
          (t) =>
            (properties(t, "IngestUrl").TargetFunctionArn = {
              "Fn::GetAtt": ["SessionsLambdaFunction", "Arn"],
            }),
        ],
        [/EventsQueue is not encrypted/, (t) => (properties(t, "EventsQueue").SqsManagedSseEnabled = false)],
        [/dead letters go to DeadLettersQueue/, (t) => delete t.Resources.DeadLettersAlarm],
        [/dead letters go to ReleaserFailuresQueue/, (t) => delete t.Resources.ReleaserFailuresAlarm],
        [/ReleaserLambdaFunction fails at is lost/, (t) => delete t.Resources.ReleaserInvokeConfig],
        [
          /role of ReleaserLambdaFunction may not send to ReleaserFailuresQueue/,
          (t) => (statement(t, "ReleaserRole", "sqs:SendMessage").Action = "sqs:ReceiveMessage"),
        ],
        [/on everything/, (t) => widen(t, "Resource", "*")],
        [
          /ConsumerRole allows dynamodb:BatchGetItem on every item/,
          (t) => unlimit(t, "ForAllValues:StringLike"),
        ],
        [/ConsumerRole allows dynamodb:BatchGetItem on every item/, (t) => unlimit(t, "Null")],
        [/AlarmTopic needs a key/, (t) => (properties(t, "AlarmTopic").KmsMasterKeyId = "alias/aws/sns")],
        [/allows dynamodb:\*/, (t) => widen(t, "Action", "dynamodb:*")],
      ];
      for (const [problem, change] of MISTAKES) {
        const problems = changed(change);
        assert.equal(problems.length, 1, `${problem}: ${problems}`);
        assert.match(problems[0] ?? "", problem);
      }
    });

    it("has no alarm that may not use the key of its topic", () => {
      const allowed = /alarm:([a-z0-9-]+)-\*"/.exec(
        JSON.stringify(properties(artifact().template, "AlarmKey")),
      );
      const names = ofType(artifact().template, "AWS::CloudWatch::Alarm").map(
        ([, alarm]) => alarm.Properties,
      );
      assert.ok(names.length > 8);
      for (const { AlarmName } of names)
        assert.ok((AlarmName as string).startsWith(`${allowed?.[1]}-`), `${AlarmName}`);
    });

    it("encrypts what is stored, and keeps buckets from everybody and from what is not TLS", () => {
      const { template } = artifact();
      for (const [id, { Properties }] of ofType(template, "AWS::DynamoDB::Table"))
        assert.equal((Properties.SSESpecification as { SSEEnabled?: unknown })?.SSEEnabled, true, id);
      for (const id of ["FilesBucket", "HistoryBucket"]) {
        const { BucketEncryption, PublicAccessBlockConfiguration = {} } = properties(template, id);
        assert.ok(BucketEncryption, id);
        assert.deepEqual(
          Object.values(PublicAccessBlockConfiguration as object),
          [true, true, true, true],
          id,
        );
        assert.match(JSON.stringify(properties(template, `${id}Policy`)), /"aws:SecureTransport":"false"/);
      }
    });

    it("has every function, each on the runtime and from its own bundle", () => {
      const names = ofType(artifact().template, "AWS::Lambda::Function").map(([, { Properties }]) => {
        const { Handler, Runtime, Architectures } = Properties;
        assert.deepEqual([Runtime, Architectures], ["nodejs24.x", ["arm64"]]);
        return /^dist\/([a-z-]+)\/index\.main$/.exec(Handler as string)?.[1];
      });
      assert.deepEqual(names.sort(), functionNames().sort());
    });

    const resolved = (template: Template, id: string) =>
      createResolver(template, { ref: (name) => name, attribute: (name) => name, pseudo: {} })(
        properties(template, id),
      ) as Record<string, unknown>;
    const holds = (template: Template, condition = "") =>
      createResolver(template, { ref: String, attribute: String, pseudo: {} })({
        "Fn::If": [condition, true, false],
      });

    it("logs JSON lines, of the platform only what went wrong, and all of its own, whose level is their own matter", () => {
      for (const [id, { Properties }] of ofType(artifact().template, "AWS::Lambda::Function"))
        assert.deepEqual(
          Properties.LoggingConfig,
          { LogFormat: "JSON", SystemLogLevel: "WARN", ApplicationLogLevel: "TRACE" },
          id,
        );
    });

    it("calls ingest by the HTTP API, or at its own URL and by no route", async () => {
      const isThere = (template: Template) => (id: string) =>
        holds(template, template.Resources[id]?.Condition as string);
      const ROUTES = ["HttpApiRouteAnyEventsApiidVar", "HttpApiRouteDefault"];
      const URL = ["IngestUrl", "IngestUrlErrorsAlarm"];
      const OPEN = ["IngestUrlPermission", "IngestUrlCallPermission"];
      const byApi = isThere(artifact().template);
      assert.deepEqual(
        [...ROUTES.map(byApi), ...[...URL, ...OPEN].map(byApi)],
        [...Array(2).fill(true), ...Array(4).fill(false)],
      );
      for (const [ingestAuth, AuthType, isOpen] of [
        ["token", "NONE", true],
        ["iam", "AWS_IAM", false],
      ] as const) {
        const { template, problems } = await packageWith(folder, "dev", {
          ingestUrl: "function",
          ingestAuth,
        });
        assert.deepEqual(problems, []);
        const byUrl = isThere(template);
        assert.deepEqual(ROUTES.map(byUrl), [false, false]);
        assert.deepEqual(URL.map(byUrl), [true, true]);
        assert.deepEqual(OPEN.map(byUrl), [isOpen, isOpen], ingestAuth);
        assert.equal(resolved(template, "IngestUrl").AuthType, AuthType);
      }
    });

    it("has the former index, and leave to ask it, only when it is to be kept", async () => {
      const indexesOf = (template: Template) => {
        const { GlobalSecondaryIndexes } = resolved(template, "SessionsTable");
        return (GlobalSecondaryIndexes as { IndexName: string; Projection: object }[]).map(
          ({ IndexName }) => IndexName,
        );
      };
      const asked = (template: Template) =>
        JSON.stringify(resolved(template, "SessionsRole")).includes("index/by-org");
      const { template } = artifact();
      assert.deepEqual([indexesOf(template), asked(template)], [["keys-by-org", "by-alias"], false]);
      const { template: kept } = await packageWith(folder, "dev", { formerIndex: "keep" });
      assert.deepEqual([indexesOf(kept), asked(kept)], [["keys-by-org", "by-org", "by-alias"], true]);
    });

    it("has a table, a bucket and a secret of the history, and leave to write it, unless it is off", async () => {
      const IDS = ["HistoryTable", "HistoryBucket", "HistoryBucketPolicy", "HistorySecret"];
      const { template: off, problems } = await packageWith(folder, "dev", { HISTORY: "off" });
      assert.deepEqual(problems, []);
      for (const [template, isThere] of [
        [artifact().template, true],
        [off, false],
      ] as const) {
        for (const one of [...IDS.map((id) => template.Resources[id]), template.Outputs?.HistoryTable])
          assert.equal(holds(template, one?.Condition as string), isThere);
        const role = JSON.stringify(resolved(template, "ConsumerRole"));
        assert.deepEqual(
          ["dynamodb:BatchWriteItem", "s3:PutObject"].map((action) => role.includes(action)),
          [isThere, isThere],
        );
        const { HISTORY_TABLE, HISTORY_BUCKET, HISTORY_SECRET } = (
          resolved(template, "ConsumerLambdaFunction").Environment as { Variables: Record<string, string> }
        ).Variables;
        const set = [HISTORY_TABLE, HISTORY_BUCKET, HISTORY_SECRET].map((value) => value !== undefined);
        assert.deepEqual(set, [isThere, isThere, isThere]);
      }
      const [rule] = (
        properties(artifact().template, "HistoryBucket").LifecycleConfiguration as {
          Rules: { ExpirationInDays?: unknown }[];
        }
      ).Rules;
      assert.equal(String(rule?.ExpirationInDays), "14");
    });

    it("has every route of the functions, and no other", () => {
      const routes = ofType(artifact().template, "AWS::ApiGatewayV2::Route");
      const keys = routes.map(([, { Properties }]) => Properties.RouteKey as string);
      assert.deepEqual(
        keys.sort(),
        ["ANY /events/{api_id}", "$default", KEYS_ROUTE, ...SESSION_ROUTES].sort(),
      );
    });

    it("sets every setting of each function, to its default, and no other", () => {
      for (const [, { Properties }] of ofType(artifact().template, "AWS::Lambda::Function")) {
        const name = (Properties.Handler as string).split("/")[1] ?? "";
        const { Variables } = Properties.Environment as { Variables: Record<string, unknown> };
        const own = Object.keys(Variables).filter((key) => !key.startsWith("POWERTOOLS_"));
        const settings = settingsOf(name);
        assert.deepEqual(own.sort(), settings.map((setting) => setting.name).sort(), name);
        for (const { name: key, fallback } of settings)
          if (fallback && key !== GIVEN) assert.equal(Variables[key], fallback, `${key} of ${name}`);
      }
    });

    it("keeps what is stored when the stack goes or a name changes", () => {
      for (const type of ["AWS::DynamoDB::Table", "AWS::SQS::Queue", "AWS::S3::Bucket"]) {
        for (const [id, resource] of ofType(artifact().template, type)) {
          if (id === "ServerlessDeploymentBucket") continue;
          const { DeletionPolicy, UpdateReplacePolicy } = resource as unknown as Record<string, unknown>;
          assert.match(DeletionPolicy as string, /^Retain(ExceptOnCreate)?$/, id);
          assert.equal(UpdateReplacePolicy, "Retain", id);
        }
      }
    });
  });
}

interface Role {
  Policies: { PolicyDocument: { Statement: Record<string, unknown>[] } }[];
}

function widen(template: Template, member: "Action" | "Resource", value: string): void {
  statement(template, "IngestRole", "sqs:SendMessage")[member] = value;
}

function statement(template: Template, role: string, action: string): Record<string, unknown> {
  const { Policies } = (template.Resources[role] as Resource).Properties as unknown as Role;
  const found = Policies[0]?.PolicyDocument.Statement.find(({ Action }) => Action === action);
  assert.ok(found, `${role} has no statement for ${action}`);
  return found;
}

function unlimit(template: Template, operator: string): void {
  const { Policies } = (template.Resources.ConsumerRole as Resource).Properties as unknown as Role;
  const limited = Policies[0]?.PolicyDocument.Statement.find(({ Condition }) => Condition);
  if (limited) delete (limited.Condition as Record<string, unknown>)[operator];
}
