// What a command says where AWS, or what stands for it, cannot be used: its own words, not those of the SDK.
import assert from "node:assert/strict";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, describe, it } from "node:test";
import { awsAdvice } from "../../cli/stage/aws-errors.ts";
import { runCli } from "../helpers/cli.ts";

const COMMANDS = [
  ["push"],
  ["releases"],
  ["rollback"],
  ["diff", "live", "live"],
  ["dlq", "ls"],
  ["dlq", "show", "g"],
  ["dlq", "redrive", "g"],
  ["dlq", "rm", "g", "--yes"],
  ["sessions", "diff", "k"],
  ["sessions", "reconcile"],
];

const QUEUE = "https://sqs.eu-west-1.amazonaws.com/123456789012/gatehook";
/** The settings of every command, and nothing of AWS: what the machine has of it is left out. */
const SETTINGS = {
  FILES_BUCKET: "files",
  STATE_TABLE: "state-table",
  SESSIONS_TABLE: "sessions",
  DEAD_LETTERS_QUEUE_URL: QUEUE,
  EVENTS_QUEUE_URL: QUEUE,
  SYNC_QUEUE_URL: QUEUE,
  GATEWAY_URL: "http://127.0.0.1:9",
  GATEWAY_SECRET: "secret",
  AWS_CONFIG_FILE: "nowhere",
  AWS_SHARED_CREDENTIALS_FILE: "nowhere",
  AWS_EC2_METADATA_DISABLED: "true",
  ...Object.fromEntries(
    [
      "REGION",
      "DEFAULT_REGION",
      "PROFILE",
      "ACCESS_KEY_ID",
      "SECRET_ACCESS_KEY",
      "SESSION_TOKEN",
      "ENDPOINT_URL",
    ].map((name) => [`AWS_${name}`, undefined]),
  ),
};
const REGION = { AWS_REGION: "eu-west-1" };
const SIGNED = { ...REGION, AWS_ACCESS_KEY_ID: "id", AWS_SECRET_ACCESS_KEY: "secret" };

async function told(args: string[], env: Record<string, string | undefined>): Promise<string> {
  const { code, stdout, stderr } = await runCli(args, { env: { ...SETTINGS, ...env } });
  assert.deepEqual([code, stdout], [1, ""], stderr);
  return stderr;
}

const NOTHING_SET =
  "gatehook: no AWS region or credentials: set AWS_REGION and AWS_PROFILE; for the local stack: --local\n";

for (const args of COMMANDS) {
  describe(`gatehook ${args.join(" ")}`, () => {
    it("says what to set where there is no region", async () => {
      assert.equal(await told(args, {}), NOTHING_SET);
    });

    it("says what to set where there are no credentials", async () => {
      assert.equal(await told(args, REGION), NOTHING_SET);
    });
  });
}

describe("a region", () => {
  it("that is empty counts as none, and a wrong one is told", async () => {
    assert.equal(await told(["releases"], { AWS_REGION: "" }), NOTHING_SET);
    assert.equal(
      await told(["releases"], { ...SIGNED, AWS_REGION: "eu west" }),
      "gatehook: AWS_REGION is eu west, which is not the name of a region\n",
    );
  });
});

describe("a profile without credentials", () => {
  it("is named", async () => {
    assert.match(
      await told(["releases"], { ...REGION, AWS_PROFILE: "shop" }),
      /^gatehook: no AWS credentials in the profile shop, which AWS_PROFILE names: .*--local$/m,
    );
  });
});

describe("an endpoint", () => {
  let server: Server;
  let url = "";
  /** The code with which it answers. */
  let answer = "";
  before(async () => {
    server = createServer((request, response) => {
      const json = request.headers["content-type"]?.includes("json");
      response.writeHead(400, { "content-type": json ? "application/x-amz-json-1.0" : "application/xml" });
      response.end(
        json
          ? JSON.stringify({ __type: `com.amazonaws#${answer}`, message: "words of the service" })
          : `<Error><Code>${answer}</Code><Message>words of the service</Message></Error>`,
      );
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  after(() => new Promise((resolve) => server.close(resolve)));

  const at = (address: string) => ({
    ...SIGNED,
    AWS_ENDPOINT_URL: address,
    DEAD_LETTERS_QUEUE_URL: `${address}/123456789012/dead`,
  });

  it("at which nothing listens is named, with the variable that names it", async () => {
    const closed = createServer();
    await new Promise<void>((resolve) => closed.listen(0, "127.0.0.1", resolve));
    const { port } = closed.address() as AddressInfo;
    await new Promise((resolve) => closed.close(resolve));
    const message = new RegExp(
      `^gatehook: nothing listens at (127\\.0\\.0\\.1|::1):${port}, which \\w+ names: start it, or name another\n$`,
    );
    for (const host of ["127.0.0.1", "localhost"])
      for (const args of [["releases"], ["push"], ["dlq", "ls"], ["sessions", "diff", "k"]])
        assert.match(await told(args, at(`http://${host}:${port}`)), message);
  });

  it("that is not a URL is named", async () => {
    assert.equal(
      await told(["releases"], { ...SIGNED, AWS_ENDPOINT_URL: "127.0.0.1:8000" }),
      "gatehook: AWS_ENDPOINT_URL is 127.0.0.1:8000, but must be a URL, such as http://127.0.0.1:8000\n",
    );
  });

  const CODES: [code: string, args: string[], message: RegExp][] = [
    ["ExpiredTokenException", ["releases"], /^gatehook: the AWS credentials have expired: log in again/],
    ["ExpiredTokenException", ["dlq", "ls"], /^gatehook: the AWS credentials have expired: log in again/],
    ["ExpiredToken", ["push"], /^gatehook: the AWS credentials have expired: log in again/],
    ["UnrecognizedClientException", ["releases"], /^gatehook: AWS does not know these credentials/],
    ["InvalidClientTokenId", ["dlq", "ls"], /^gatehook: AWS does not know these credentials/],
    ["InvalidAccessKeyId", ["push"], /^gatehook: AWS does not know these credentials/],
    ["SignatureDoesNotMatch", ["push"], /^gatehook: AWS refuses the signature/],
    ["NoSuchBucket", ["push"], /^gatehook: there is no bucket files: check FILES_BUCKET/],
    [
      "ResourceNotFoundException",
      ["releases"],
      /^gatehook: there is no such table: check STATE_TABLE \(state-table\)/,
    ],
    ["AccessDeniedException", ["releases"], /^gatehook: words of the service$/m],
  ];
  for (const [code, args, message] of CODES) {
    it(`that answers ${code} to gatehook ${args.join(" ")} is told in plain words`, async () => {
      answer = code;
      assert.match(await told(args, at(url)), message);
    });
  }
});

describe("advice about an error", () => {
  it("names the host that is not found, or the variable that has it", () => {
    const missing = Object.assign(new Error("getaddrinfo"), {
      code: "ENOTFOUND",
      hostname: "sqs.eu-wst-1.amazonaws.com",
    });
    assert.equal(
      awsAdvice(missing, {}),
      "the host sqs.eu-wst-1.amazonaws.com is not found: check AWS_REGION, and the network",
    );
    const AWS_ENDPOINT_URL_SQS = "http://sqs.eu-wst-1.amazonaws.com:80/";
    assert.match(awsAdvice(missing, { AWS_ENDPOINT_URL_SQS }) ?? "", /check AWS_ENDPOINT_URL_SQS/);
  });

  it("is told of a login that has expired", () => {
    const message = "To refresh this SSO session run 'aws sso login' with the corresponding profile.";
    for (const name of ["CredentialsProviderError", "TokenProviderError"])
      assert.match(
        awsAdvice(Object.assign(new Error(message), { name }), {}) ?? "",
        /have expired: log in again/,
      );
  });

  it("is not given about what AWS has nothing to do with", () => {
    for (const thrown of [new Error("no"), new TypeError("Invalid URL"), "text", undefined])
      assert.equal(awsAdvice(thrown, { AWS_ENDPOINT_URL: "http://127.0.0.1:9" }), undefined);
  });
});
