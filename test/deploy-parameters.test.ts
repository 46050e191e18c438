import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { parameterProblems } from "../deploy/parameters.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const OURS = readFileSync(`${ROOT}serverless.yml`, "utf8");

/** With a stage of its own, and a parameter that is somebody's own. */
const THEIRS = `
params:
  default: { queue: standard, consumerMemory: 1024, HANDLER_ERRORS: retry, mine: [1], apiRate: "\${env:RATE}" }
  prod: { queue: fifo, consumerMemory: 2048, mine: {} }
  test: { queue: fifoo, consumerMemry: 2048, HANDLER_ERRORS: 7, consumerMemory: "\${env:MB}" }
custom: { queue: !Ref Queue }
`;

describe("the parameters of a deployment", () => {
  it("are all right as they are", () => assert.deepEqual(parameterProblems(OURS, []), []));

  const TAKEN: string[][] = [
    ["--param=queue=fifo"],
    ["--param", "queue=fifo", "--stage", "prod"],
    ["--param=consumerMemory=2048", "--param=alarmEmail=a=b@example.com", "--verbose"],
    ["--param=HTTP_ALLOW_HOSTS="],
    ["--param", "GATEWAY_URL=https://gateway.internal:8080"],
  ];
  for (const args of TAKEN) {
    it(`are taken: ${args.join(" ")}`, () => assert.deepEqual(parameterProblems(OURS, args), []));
  }

  const REFUSED: [args: string[], ...problems: string[]][] = [
    [["--param=queue=fifoo"], '--param: queue is "fifoo", but must be standard or fifo'],
    [["--param", "onRemove=delete"], '--param: onRemove is "delete", but must be Retain or Delete'],
    [
      ["--param=consumerMemory=64"],
      '--param: consumerMemory is "64", but must be a whole number from 128 to 10240',
    ],
    [
      ["--param=consumerMemroy=64"],
      "--param: there is no parameter consumerMemroy (did you mean consumerMemory?)",
    ],
    [
      ["--param=handler_errors=drop"],
      "--param: there is no parameter handler_errors (did you mean HANDLER_ERRORS?)",
    ],
    [["--param=SESSIONS_TABLE=mine"], "--param: there is no parameter SESSIONS_TABLE"],
    [["--param=constructor=mine"], "--param: there is no parameter constructor"],
    [["--param=queue"], "--param: queue has no value: write queue=value"],
    [
      ["--param=GATEWAY_URL=gateway"],
      "--param: GATEWAY_URL must be an http or https URL without user, query and fragment",
    ],
    [
      ["--param=queue=x", "--param=tracing=y"],
      '--param: queue is "x", but must be standard or fifo',
      '--param: tracing is "y", but must be PassThrough or Active',
    ],
  ];
  for (const [args, ...problems] of REFUSED) {
    it(`are refused: ${args.join(" ")}`, () => assert.deepEqual(parameterProblems(OURS, args), problems));
  }

  it("of a stage count when it is that stage", () => {
    for (const args of [[], ["--stage", "prod"], ["--stage=prod"], ["-s", "other"]])
      assert.deepEqual(parameterProblems(THEIRS, args), [], args.join(" "));
    assert.deepEqual(parameterProblems(THEIRS, ["--stage", "test"]), [
      'serverless.yml, params.test: queue is "fifoo", but must be standard or fifo',
      "serverless.yml, params.test: there is no parameter consumerMemry (did you mean consumerMemory?)",
      'serverless.yml, params.test: HANDLER_ERRORS is "7", but must be retry or drop',
    ]);
  });

  it("are looked at before anything is built", () => {
    const args = ["deploy/package.ts", "--param=queue=fifoo"];
    const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: ROOT, encoding: "utf8" });
    assert.deepEqual(
      [status, stdout, stderr],
      [1, "", 'gatehook: --param: queue is "fifoo", but must be standard or fifo\n'],
    );
  });
});
