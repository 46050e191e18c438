import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Ajv2020 } from "ajv/dist/2020.js";
import { DEPLOYMENT_SETTINGS } from "../../lib/settings/deployment-settings.ts";
import { FUNCTION_SETTINGS, type FunctionSetting } from "../../lib/settings/function-settings.ts";
import { projectSchema } from "../../lib/settings/json-schema.ts";
import { parseProject } from "../../lib/settings/project.ts";
import { defaultText, type Setting } from "../../lib/settings/setting.ts";

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
      "{{resolve:secretsmanager:shop/secret}}",
    ];
    it(name, () => {
      for (const value of [...values, ...(setting.kind === "choice" ? setting.choices : [])]) {
        if (value === "" || isWeaklyTyped(name, setting, value)) continue;
        const file = { settings: { [name]: value }, stages: { prod: { settings: { [name]: value } } } };
        assert.equal(validate(file), isRead(file), JSON.stringify(value));
      }
    });
  }

  it("whatever its members", () => {
    for (const file of TAKEN)
      assert.deepEqual([validate(file), isRead(file)], [true, true], JSON.stringify(file));
    for (const file of REFUSED)
      assert.deepEqual([validate(file), isRead(file)], [false, false], JSON.stringify(file));
  });
});

const stage = (members: unknown, name = "prod") => ({ stages: { [name]: members } });
const stages = (members: unknown[]) => members.map((one) => stage(one));
const named = (names: string[]) => names.map((name) => stage({}, name));
const QUEUE = "arn:aws:sqs:eu-west-1:123456789012:events";
const certificate = "arn:aws:acm:eu-west-1:123456789012:certificate/0a-0b";
const LONG = "a".repeat(31);

const TAKEN: unknown[] = [
  {},
  { $schema: "s", stages: {} },
  ...[{}, { apis: "src/apis" }, { apis: "Définitions", handlers: "a b/c.d-e@f" }].map((folders) => ({
    folders,
  })),
  ...["shop", "s3", "a".repeat(30)].map((name) => ({ name })),
  ...[{}, { team: "payments and more" }, { "a:b/c": "" }].map((tags) => ({ tags, ...stage({ tags }) })),
  ...named(["prod", "2", "eu-prod"]),
  ...stages([
    {},
    { region: "eu-west-1" },
    { region: "us-gov-west-1" },
    { confirm: true },
    { resources: {} },
    { resources: { eventsQueue: QUEUE, deadLettersQueue: `${QUEUE}.fifo` } },
    ...["01234567-89ab-cdef-0123-456789abcdef", "mrk-0123456789abcdef0123456789abcdef"].map((key) => ({
      resources: { kmsKey: `arn:aws:kms:eu-west-1:123456789012:key/${key}` },
    })),
    { resources: { sessionsTable: "arn:aws-cn:dynamodb:cn-north-1:123456789012:table/a.b" } },
    {
      resources: {
        filesBucket: "arn:aws:s3:::our.files",
        permissionsBoundary: "arn:aws:iam::aws:policy/a/b",
      },
    },
    { domain: { name: "events.example.com", certificate } },
    { domain: { name: "events.example.com", certificate, hostedZone: "Z0123" } },
  ]),
  stage({}, "local"),
];

const REFUSED: unknown[] = [
  [],
  { setting: {} },
  { $schema: 1 },
  ...["/apis", "../apis", "a/./b", "apis/", ".apis", "node_modules/x", "a\\b", "a ", "", 1, null].map(
    (apis) => ({
      folders: { apis },
    }),
  ),
  { folders: { scripts: "x" } },
  { folders: "src" },
  ...["s", "Shop", "shop_1", "1shop", "shop-", "xn--shop", LONG, "", 1, null].map((name) => ({ name })),
  ...[{ "aws:team": "x" }, { "": "x" }, { team: 1 }, { team: "a;b" }, [], "x"].map((tags) => ({ tags })),
  { stages: [] },
  ...named(["Prod", "prod-", "-prod", "default", "pro d", "toString", "", LONG]),
  ...stages([
    { x: 1 },
    { region: "Europe" },
    { region: "" },
    { region: 1 },
    { confirm: "true" },
    { confirm: 0 },
    { resources: [] },
    { resources: { eventQueue: QUEUE } },
    { resources: { eventsQueue: "events" } },
    { resources: { eventsQueue: certificate } },
    { resources: { eventsQueue: null } },
    { resources: { sessionsTable: QUEUE } },
    { resources: { filesBucket: "arn:aws:s3:::files/apis" } },
    ...["alias/ours", "key/ours", "key/mrk-01234567-89ab-cdef-0123-456789abcdef"].map((key) => ({
      resources: { kmsKey: `arn:aws:kms:eu-west-1:123456789012:${key}` },
    })),
    { domain: { name: "events.example.com" } },
    { domain: { certificate } },
    { domain: { name: "localhost", certificate } },
    { domain: { name: "Events.example.com", certificate } },
    { domain: { name: "events.example.com", certificate, hostedZone: "example.com" } },
  ]),
  // The local stack has settings, and nothing else.
  ...[{ region: "eu-west-1" }, { resources: {} }, { tags: {} }, { confirm: true }].map((members) =>
    stage(members, "local"),
  ),
];

/** A text that is written as a number or a list is read, but an editor should rather say what is meant. */
const isWeaklyTyped = (name: string, { kind }: Setting, value: unknown) =>
  ((["text", "url", "secret"].includes(kind) ||
    ["INGEST_TOKEN", "KEYS_API_SECRET", "WEBHOOK_SECRETS"].includes(name)) &&
    typeof value !== "string") ||
  (kind === "list" && !Array.isArray(value)) ||
  (kind !== "list" && Array.isArray(value)) ||
  (kind === "integer" && typeof value === "string");

describe("a gatehook.json that is nested more deeply than any", () => {
  it("is told as that", () => {
    const text = `{"name":"shop","stages":${'{"a":'.repeat(100_000)}1${"}".repeat(100_000)}}`;
    assert.deepEqual(parseProject(text), { problems: [{ line: 1, message: "nested too deeply" }] });
  });
});
