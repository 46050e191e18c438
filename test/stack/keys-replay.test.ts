// What a gateway was recorded to answer, asked of the key API on the sessions table: case by case, over HTTP, by the
// function itself. Once with raw keys in the table, and once with hashed ones.
//
// What only a gateway does stays away: clients' requests, which are counted, and policies. A model gateway, which
// answers byte for byte as the recorded one, is asked the same beside, and what it has of the key then is put into
// the table by the sessions API.
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { DeleteCommand, ScanCommand, UpdateCommand } from "@aws-sdk/lib-dynamodb";
import { fullName, orgOf } from "../../lib/gateway/key-name.ts";
import { createGateway, type Gateway, type GatewayOptions, type GatewayRequest } from "../gateway/model.ts";
import { openRealGateway } from "../gateway/real.ts";
import { replay, type Target } from "../gateway/replay.ts";
import { configNamed, readTranscripts, recordedIn } from "../gateway/transcripts.ts";
import { startTestStack, type TestStack } from "../helpers/stack.ts";

const SECRET = "a-secret-of-the-key-api";

/** What cannot be answered as recorded, by the reason: docs/sessions.md has the same list. */
const OTHERWISE = {
  "There are no policies here: a key that names one is refused, as by a gateway that does not have the policy.":
    [
      "create / with policy gold, no access_rights",
      "put two policies, one unknown",
      "put apply_policies gold (body keeps access_rights)",
      "put apply_policies perapi (body keeps access_rights)",
      "put apply_policies acl (body keeps access_rights)",
      "put apply_policies off (body keeps access_rights)",
      "put apply_policies trial (body keeps access_rights)",
      "put apply_policies gold, no access_rights",
      "preview",
    ],
  "A reset fills quota_remaining, since there is no counter beside the session that could be deleted.": [
    "get after put, no suppress_reset",
  ],
  "What is in front of the function resolves the dots of a path before it looks for the route.": [
    "odd name .: get",
    "odd name ..: get",
    "odd name %2E%2E: get",
  ],
  "It is a client's request to an API, and nobody serves APIs here.": [
    "request with inactive key",
    "basic: request with pw1 after that",
    "basic: request with pw1 after putting back what GET gave",
    "request with expired key",
    "request with expired+deleted key",
    "request with unknown key",
  ],
};

/** Beside these, where keys are hashed. */
const OTHERWISE_HASHED = {
  "With a filter, the keys of an organisation are listed, by an index; a gateway with hash_keys ignores the filter.":
    ["list / filter org", "list / filter other org"],
  "There are no policies here, so this route is not there.": ["policy/hash", "get after policy/hash"],
};

/** With its store down, a gateway says that each key is missing. Here a table that fails is a 500: see below. */
const STORE_DOWN = /^redis (down|back)/;

const transcripts = readTranscripts();
const { org_id: ORG = "" } = transcripts.apis[0] ?? {};

/** A stack with the recorded APIs live. */
async function startKeysStack(hashFunction: string): Promise<{ stack: TestStack; close(): Promise<void> }> {
  const folder = mkdtempSync(join(tmpdir(), "gatehook-keys-"));
  for (const name of ["apis", "handlers"]) mkdirSync(join(folder, name));
  for (const { event_handlers: _, ...api } of transcripts.apis)
    writeFileSync(join(folder, "apis", `${api.api_id}.json`), JSON.stringify(api));
  const stack = await startTestStack({
    folder,
    settings: { KEYS_API_SECRET: `of-another-day-00, ${SECRET}`, HASH_KEYS: hashFunction || "none" },
  });
  return {
    stack,
    async close() {
      await stack.close();
      rmSync(folder, { recursive: true });
    },
  };
}

async function rows(stack: TestStack): Promise<{ key: string; ttl?: number }[]> {
  const TableName = stack.resources.SESSIONS_TABLE;
  const { Items = [] } = await stack.clients.dynamo.send(new ScanCommand({ TableName }));
  return Items as { key: string; ttl?: number }[];
}

async function empty(stack: TestStack): Promise<void> {
  const TableName = stack.resources.SESSIONS_TABLE;
  for (const { key } of await rows(stack))
    await stack.clients.dynamo.send(new DeleteCommand({ TableName, Key: { key } }));
}

/** How much later than in the recording things end here, so that none has ended before a slow machine makes it. */
const MARGIN_MS = 30_000;

/** The recording waited for what ends; here all ends that much earlier. */
async function age(stack: TestStack, ms: number): Promise<void> {
  const TableName = stack.resources.SESSIONS_TABLE;
  for (const { key, ttl } of await rows(stack)) {
    if (ttl === undefined) continue;
    await stack.clients.dynamo.send(
      new UpdateCommand({
        TableName,
        Key: { key },
        UpdateExpression: "SET #ttl = :ttl",
        ExpressionAttributeNames: { "#ttl": "ttl" },
        ExpressionAttributeValues: { ":ttl": ttl - Math.ceil((ms + MARGIN_MS) / 1000) },
      }),
    );
  }
}

/** A table that nobody has used. */
async function open(stack: TestStack, options: Required<GatewayOptions>): Promise<Target> {
  await empty(stack);
  const model = createGateway({ ...options, config: { ...options.config, secret: SECRET } });
  const real = await openRealGateway({
    url: new URL(stack.url),
    secret: SECRET,
    now: () => Date.now() + MARGIN_MS,
    sleep: (ms) => age(stack, ms),
  })(options);
  assert.ok(real);
  return {
    ...real,
    async send(request) {
      model.request(request);
      const said = await real.send(request);
      const key = keyOnlyAGatewayTouches(request, options);
      const session = key && sessionOf(model, key);
      if (key && session) await putByHand(real, key, inOurTime(session, options.now()));
      return said;
    },
  };
}

/** The key that a client's request counts for, or that a policy is applied to, by its full name. */
function keyOnlyAGatewayTouches(request: GatewayRequest, options: Required<GatewayOptions>) {
  const { method, path, headers = {}, body = "" } = request;
  const { hash_key_function } = options.config;
  const named = (name: string) => (orgOf(name) === ORG ? name : fullName(hash_key_function, ORG, name));
  const { authorization: presented = "" } = headers;
  const [, user] = /^Basic (.+)/.exec(presented) ?? [];
  if (user) return named(Buffer.from(user, "base64").toString().replace(/:.*/s, ""));
  if (presented) return presented;
  const [, name = ""] = /^\/tyk\/keys\/([^?]*)/.exec(path) ?? [];
  if (!body.includes('"apply_policies"') || name === "preview" || name.includes("/")) return undefined;
  return named(method === "POST" && name === "create" ? options.random() : decodeURIComponent(name));
}

function sessionOf(model: Gateway, key: string): string | undefined {
  const headers = { "x-tyk-authorization": SECRET };
  const { status, body } = model.request({
    method: "GET",
    path: `/tyk/keys/${encodeURIComponent(key)}`,
    headers,
  });
  return status === 200 ? body : undefined;
}

/** Its quota's period runs on here, if it did there. */
const inOurTime = (session: string, now: number): string =>
  session.replace(/(?<="quota_renews":)\d+/g, (time) =>
    String(Number(time) + Math.round((Date.now() - now) / 1000)),
  );

async function putByHand(real: Target, key: string, body: string): Promise<void> {
  const path = `/sessions/${encodeURIComponent(key)}?suppress_reset=1`;
  const { status } = await real.send({ method: "PUT", path, body });
  assert.ok(status === 200 || status === 201, `${status}`);
}

describe("the key API on the sessions table", () => {
  const CONFIGS = {
    plain: { reasons: OTHERWISE, cases: 222 },
    "hash-murmur64": { reasons: { ...OTHERWISE, ...OTHERWISE_HASHED }, cases: 230 },
  };
  for (const [config, { reasons, cases }] of Object.entries(CONFIGS))
    it(`answers as the recorded gateway did, but for what cannot be had without one: ${config}`, async () => {
      const { stack, close } = await startKeysStack(configNamed(transcripts, config).hash_key_function);
      try {
        const { compared, differences } = await replay(transcripts, config, (given) => open(stack, given));
        const otherwise = Object.values(reasons).flat().sort();
        assert.deepEqual(
          differences.filter((one) => !otherwise.includes(one.case)),
          [],
        );
        assert.deepEqual(
          differences.map((one) => one.case).sort(),
          otherwise,
          "take what holds off the list",
        );
        const recorded = recordedIn(transcripts, config);
        const down = recorded.filter((step) => STORE_DOWN.test(step.case));
        assert.deepEqual([compared, compared + down.length], [cases, recorded.length]);
      } finally {
        await close();
      }
    });
});
