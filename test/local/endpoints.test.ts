// Services of others for the stack on one machine: found, and signed for, by the variables of the AWS SDK.
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, request as httpRequest } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { type LocalAws, startAws } from "../../local/aws.ts";
import { createClients } from "../../local/resources.ts";
import { startStack } from "../../local/stack.ts";
import { startTestStack } from "../helpers/stack.ts";

const KEYS = { AWS_ACCESS_KEY_ID: "id", AWS_SECRET_ACCESS_KEY: "secret", AWS_REGION: "eu-north-1" };
const at = (port: number) => `http://127.0.0.1:${port}`;

async function endpointsOf(env: Record<string, string>): Promise<(string | undefined)[]> {
  const aws = await startAws({ ...KEYS, ...env });
  await aws.close();
  return ["DYNAMODB", "DYNAMODB_STREAMS", "SQS", "S3"].map((name) => aws.env[`AWS_ENDPOINT_URL_${name}`]);
}

describe("the endpoints of the environment", () => {
  it("replace the embedded services: one variable for all of them, and before it that of each", async () => {
    const AWS_ENDPOINT_URL = at(1);
    assert.deepEqual(await endpointsOf({ AWS_ENDPOINT_URL }), [at(1), at(1), at(1), at(1)]);
    const each = {
      AWS_ENDPOINT_URL_DYNAMODB: at(2),
      AWS_ENDPOINT_URL_SQS: at(3),
      AWS_ENDPOINT_URL_S3: at(4),
    };
    assert.deepEqual(await endpointsOf(each), [at(2), at(2), at(3), at(4)]);
    assert.deepEqual(await endpointsOf({ AWS_ENDPOINT_URL, ...each }), [at(2), at(2), at(3), at(4)]);
    const streams = { AWS_ENDPOINT_URL_DYNAMODB_STREAMS: at(5) };
    assert.deepEqual(await endpointsOf({ AWS_ENDPOINT_URL, ...streams }), [at(1), at(5), at(1), at(1)]);
  });

  it("are not there when they are empty, or the SDK is to ignore them", async () => {
    const named = { AWS_ENDPOINT_URL: at(1), AWS_ENDPOINT_URL_SQS: at(1) };
    for (const env of [
      { AWS_ENDPOINT_URL: "", AWS_ENDPOINT_URL_S3: "" },
      { ...named, AWS_IGNORE_CONFIGURED_ENDPOINT_URLS: "true" },
    ])
      for (const endpoint of await endpointsOf(env))
        assert.match(endpoint ?? "", /^http:\/\/127\.\d+\.\d+\.\d+:\d{4,}$/);
  });

  it("are told by name when they are not URLs", async () => {
    for (const name of ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"])
      await assert.rejects(startAws({ [name]: "localhost" }), {
        code: "setting-invalid",
        message: `${name} is "localhost", which is not a URL: write it like http://127.0.0.1:4566`,
      });
  });

  it("are told by service when nothing answers there", async () => {
    const start = startStack({ port: 0, env: { ...KEYS, AWS_ENDPOINT_URL_SQS: at(1) } });
    await assert.rejects(start, { code: "local-failed", message: /^SQS does not answer at 127\.0\.0\.1:1 / });
  });
});

describe("region and credentials", () => {
  const identityOf = async (env: Record<string, string>) => {
    const aws = await startAws(env);
    await aws.close();
    const { AWS_REGION, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN } = aws.env;
    return [AWS_REGION, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN];
  };
  const outside = { AWS_ENDPOINT_URL: at(1) };
  let folder = "";
  const own = { ...process.env };
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "gatehook-"));
    const keys = (name: string) => `aws_access_key_id = ${name}\naws_secret_access_key = ${name}-secret\n`;
    await writeFile(join(folder, "credentials"), `[default]\n${keys("theirs")}[other]\n${keys("another")}`);
    await writeFile(
      join(folder, "config"),
      "[default]\nregion = eu-west-3\n[profile other]\nregion = eu-west-2\n",
    );
    for (const name of Object.keys(process.env)) if (name.startsWith("AWS_")) delete process.env[name];
    process.env.AWS_EC2_METADATA_DISABLED = "true";
  });
  after(async () => {
    for (const name of Object.keys(process.env)) if (name.startsWith("AWS_")) delete process.env[name];
    Object.assign(process.env, own);
    await rm(folder, { recursive: true });
  });

  it("are of no account for embedded services", async () => {
    assert.deepEqual(await identityOf({}), ["us-east-1", "local", "local", undefined]);
  });

  it("are any for services of others where the SDK finds none: emulators take whatever comes", async () => {
    process.env.AWS_SHARED_CREDENTIALS_FILE = join(folder, "none");
    process.env.AWS_CONFIG_FILE = join(folder, "none");
    assert.deepEqual(await identityOf(outside), ["us-east-1", "local", "local", undefined]);
  });

  it("are those of the environment, with the session token", async () => {
    const env = { ...KEYS, AWS_SESSION_TOKEN: "token", ...outside };
    assert.deepEqual(await identityOf(env), ["eu-north-1", "id", "secret", "token"]);
    const clients = createClients({ env });
    for (const { config } of [clients.dynamo, clients.streams, clients.sqs, clients.s3])
      assert.equal((await config.credentials()).sessionToken, "token");
  });

  it("are else the default ones of the user's files, or those of AWS_PROFILE", async () => {
    process.env.AWS_SHARED_CREDENTIALS_FILE = join(folder, "credentials");
    process.env.AWS_CONFIG_FILE = join(folder, "config");
    assert.deepEqual(await identityOf(outside), ["eu-west-3", "theirs", "theirs-secret", undefined]);
    process.env.AWS_PROFILE = "other";
    const profile = { ...outside, AWS_PROFILE: "other" };
    assert.deepEqual(await identityOf(profile), ["eu-west-2", "another", "another-secret", undefined]);
    delete process.env.AWS_PROFILE;
  });
});

describe("a stack on services of others", () => {
  let services: LocalAws;
  const asked = new Map<string, Set<string | undefined>>();
  const front = createServer((incoming, response) => {
    const { headers, method, url } = incoming;
    const target = String(headers["x-amz-target"] ?? "S3").replace(/[._].*/, "");
    const tokens = asked.get(target) ?? new Set();
    asked.set(target, tokens.add(headers["x-amz-security-token"]?.toString()));
    const service = target.startsWith("DynamoDB") ? "DYNAMODB" : target === "S3" ? "S3" : "SQS";
    const upstream = new URL(url ?? "", services.env[`AWS_ENDPOINT_URL_${service}`]);
    const named = { ...headers, host: upstream.host };
    const outgoing = httpRequest(upstream, { method, headers: named }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    outgoing.on("error", () => response.destroy());
    response.on("close", () => outgoing.destroy());
    incoming.pipe(outgoing);
  });
  before(async () => {
    services = await startAws(process.env);
    await new Promise<void>((resolve) => front.listen(0, "127.0.0.1", resolve));
  });
  after(async () => {
    front.closeAllConnections();
    front.close();
    await services.close();
  });

  it("has every call go there by AWS_ENDPOINT_URL alone, its functions' too, each with the session token", async () => {
    const { port } = front.address() as AddressInfo;
    const env = { ...services.env, AWS_SESSION_TOKEN: "token" };
    const names = ["DYNAMODB", "DYNAMODB_STREAMS", "SQS", "S3"].map((name) => `AWS_ENDPOINT_URL_${name}`);
    const without = Object.fromEntries(Object.entries(env).filter(([name]) => !names.includes(name)));
    const stack = await startTestStack({ env: { ...without, AWS_ENDPOINT_URL: at(port) } });
    try {
      await stack.storeSession("k", { org_id: "o", access_rights: { demo: { api_id: "demo" } }, expires: 5 });
      const event = { id: "e1", event: { Type: "KeyExpired", Meta: { Key: "k" } } };
      assert.equal((await stack.post("demo", JSON.stringify(event))).status, 202);
      await stack.fact(({ message, fields }) => message === "event done" && fields.event_id === "e1");
      assert.equal((await stack.session("k"))?.expires, 1_005);
    } finally {
      await stack.close();
    }
    assert.deepEqual([...asked.keys()].sort(), ["AmazonSQS", "DynamoDB", "S3"]);
    for (const tokens of asked.values()) assert.deepEqual([...tokens], ["token"]);
  });
});
