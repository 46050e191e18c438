import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, describe, it } from "node:test";
import { ListObjectsV2Command } from "@aws-sdk/client-s3";
import { createLocalReferences } from "../../functions/local-references.ts";
import type { Api } from "../../lib/apis/definition.ts";
import { type Reference, referencesIn, withValues } from "../../lib/apis/references.ts";
import { createConfigData, type ReadValue } from "../../lib/consumer/config-data.ts";
import { AppError } from "../../lib/errors.ts";
import { message, setUp } from "../helpers/consumer.ts";
import { startTestStack, type TestStack } from "../helpers/stack.ts";
import { startValueStores, type ValueStores } from "../helpers/value-stores.ts";

const apiOf = (config_data: Record<string, unknown>): Api => ({
  api_id: "demo",
  org_id: "o",
  name: "Demo",
  handlers: {},
  config_data,
});

describe("references in config_data", () => {
  it("are found in every text, however deep, each once, with the store that has its value", () => {
    const config = {
      url: "env://BILLING_URL",
      headers: [
        { Authorization: "Bearer secrets://billing/token" },
        "vault://a.b",
        "secrets://billing/token",
      ],
      both: "consul://one and env://TWO.",
      plain: ["https://example.com/?u=x", "env:/no", "xenv://no", "secrets://", 7, null, true],
    };
    assert.deepEqual(
      referencesIn(config).map(({ text, store, name }) => [text, store, name]),
      [
        ["env://BILLING_URL", "parameters", "BILLING_URL"],
        ["secrets://billing/token", "secrets", "billing/token"],
        ["vault://a.b", "secrets", "a.b"],
        ["consul://one", "parameters", "one"],
        ["env://TWO", "parameters", "TWO"],
      ],
    );
    const values = new Map([
      ["env://BILLING_URL", "https://billing.example"],
      ["secrets://billing/token", '$& "quoted"'],
    ]);
    assert.deepEqual(withValues(config, values), {
      ...config,
      url: "https://billing.example",
      headers: [{ Authorization: 'Bearer $& "quoted"' }, "vault://a.b", '$& "quoted"'],
    });
  });

  it("change no prototype", () => {
    const config = JSON.parse('{"__proto__": {"a": "env://A"}, "b": "env://A"}');
    const filled = withValues(config, new Map([["env://A", "1"]]));
    assert.deepEqual(
      Object.entries(filled as object).map(([name]) => name),
      ["__proto__", "b"],
    );
    assert.equal(Object.getPrototypeOf(filled), Object.prototype);
  });

  it("without AWS have their values in the environment", async () => {
    const read = createLocalReferences({ CONFIG_DATA_BILLING_TOKEN: "local", PATH: "/bin" });
    const [token, path] = referencesIn(["secrets://billing/token", "env://PATH"]) as [Reference, Reference];
    assert.equal(await read(token), "local");
    await assert.rejects(read(path), {
      code: "config-unresolved",
      message: "environment variable CONFIG_DATA_PATH is not set: give it the value",
    });
  });
});

describe("a run's config_data", () => {
  const lines: string[] = [];
  const log = {
    info() {},
    warn: (text: string, fields?: object) => void lines.push(text + JSON.stringify(fields)),
    error() {},
  };
  const api = apiOf({ token: "secrets://t", both: ["secrets://t"] });

  it("is the definition's own, unread, when it has no reference", async () => {
    const configOf = createConfigData({ read: async () => assert.fail("read"), log });
    const plain = apiOf({ a: 1 });
    assert.equal(await configOf(plain), plain.config_data);
    const { config_data: _, ...none } = plain;
    assert.equal(await configOf(none), undefined);
  });

  it("asks once for many runs at the same time, and leaves the release's own as it is", async () => {
    let asked = 0;
    const gate = Promise.withResolvers<string>();
    const read: ReadValue = () => {
      asked += 1;
      return gate.promise;
    };
    const configOf = createConfigData({ read, log });
    const runs = [configOf(api), configOf(api), configOf(api)];
    gate.resolve("hunter2");
    for (const config of await Promise.all(runs))
      assert.deepEqual(config, { token: "hunter2", both: ["hunter2"] });
    assert.equal(asked, 1);
    assert.deepEqual(api.config_data, { token: "secrets://t", both: ["secrets://t"] });
  });

  it("goes on with the last value while the store is away, and not with one that is gone", async () => {
    let answer: () => string = () => "hunter2";
    const configOf = createConfigData({ read: async () => answer(), log });
    assert.equal((await configOf(api))?.token, "hunter2");
    answer = () => {
      throw new Error("throttled");
    };
    assert.equal((await configOf(api))?.token, "hunter2");
    assert.match(lines.join(), /the last value of a reference is used.*secrets:\/\/t: throttled/);
    answer = () => {
      throw new AppError("config-unresolved", "the secret x: ResourceNotFoundException");
    };
    await assert.rejects(configOf(api), {
      code: "config-unresolved",
      message: "config_data of API demo: secrets://t: the secret x: ResourceNotFoundException",
    });
    answer = () => {
      throw new Error("throttled");
    };
    await assert.rejects(configOf(api), { code: "dependency-failed" });
    assert.doesNotMatch(lines.join(), /hunter2/);
  });

  it("that cannot be had fails the run: for good after its attempts, and for nothing while a store is away", async () => {
    for (const [code, expected] of [
      ["config-unresolved", { letters: ["config-unresolved"], ran: [] }],
      ["dependency-failed", { letters: [], ran: [] }],
    ] as const) {
      const { consume, letters, runs } = setUp(
        { h: () => {} },
        {
          configOf: async () => {
            throw new AppError(code, "no");
          },
          maxAttempts: 1,
        },
      );
      const failed = await consume([message("e1"), message("e2")]);
      assert.deepEqual(
        { letters: [...new Set(letters.map(({ reason }) => reason))], ran: runs },
        expected,
        `${code}: ${failed}`,
      );
      assert.equal(failed.length, code === "dependency-failed" ? 2 : 0);
    }
  });

  it("that cannot be had now drops no event, where failed handlers are dropped", async () => {
    const { consume, letters } = setUp(
      { h: () => {} },
      {
        configOf: async () => {
          throw new AppError("dependency-failed", "no");
        },
        handlerErrors: "drop",
      },
    );
    assert.deepEqual([(await consume([message("e1")])).length, letters], [1, []]);
  });
});

/** What it was given goes to a session, where it can be looked at; a log is no place for it. */
const SHOW = `var show = new TykJS.TykEventHandlers.NewEventHandler({});
show.NewHandler(function (event, context) {
  var session = { org_id: "o", access_rights: { x: { api_id: "x" } }, meta_data: { config: context.config_data } };
  TykSetKeyData(event.Meta.Key, JSON.stringify(session), 1);
});`;

const definition = (id: string, config_data: object) => ({
  path: `apis/${id}.json`,
  text: JSON.stringify({
    api_id: id,
    org_id: "o",
    config_data,
    event_handlers: {
      events: {
        KeyExpired: [{ handler_name: "eh_dynamic_handler", handler_meta: { name: "show", path: "show.js" } }],
      },
    },
  }),
});

async function post(stack: TestStack, api: string): Promise<string> {
  const id = randomUUID();
  const body = { id, event: { Type: "KeyExpired", Meta: { Key: id }, TimeStamp: "" } };
  assert.equal((await stack.post(api, JSON.stringify(body))).status, 202);
  return id;
}

async function configSeen(stack: TestStack, api: string): Promise<unknown> {
  const id = await post(stack, api);
  await stack.fact(({ message: text, fields }) => text === "event done" && fields.event_id === id);
  return (await stack.session(id))?.meta_data?.config;
}

describe("in the local stack, without AWS", () => {
  let stack: TestStack;
  before(async () => {
    stack = await startTestStack({
      env: { ...process.env, CONFIG_DATA_BILLING_TOKEN: "of this machine", OTHER_TOKEN: "not passed on" },
      settings: { MAX_ATTEMPTS: "1" },
    });
    await stack.releases.writeSource({ path: "handlers/show.js", text: SHOW });
    await stack.releases.writeSource(definition("local", { token: "secrets://billing/token" }));
    await stack.releases.writeSource(definition("other", { token: "env://OTHER_TOKEN" }));
    assert.equal((await stack.release()).result, "live");
  });
  after(() => stack.close());

  it("values come from the environment, from variables of their own and no others", async () => {
    assert.deepEqual(await configSeen(stack, "local"), { token: "of this machine" });
    await post(stack, "other");
    const { MessageAttributes = {} } = await stack.deadLetter();
    assert.match(MessageAttributes.error?.StringValue ?? "", /CONFIG_DATA_OTHER_TOKEN is not set/);
  });
});

describe("in a stack whose values are in Parameter Store and Secrets Manager", () => {
  const SECRET = "hunter2-in-the-vault";
  let stack: TestStack;
  let stores: ValueStores;
  const lines: string[] = [];

  before(async () => {
    stores = await startValueStores();
    stack = await startTestStack({
      settings: {
        REFERENCES_FROM: "aws",
        REFERENCE_PARAMETERS: "/test/config/",
        REFERENCE_SECRETS: "test/config/",
        REFERENCE_MAX_AGE_SECONDS: "0",
        MAX_ATTEMPTS: "1",
        AWS_ENDPOINT_URL_SSM: stores.url,
        AWS_ENDPOINT_URL_SECRETS_MANAGER: stores.url,
      },
      onLine: (name, line) => void lines.push(`${name} ${line}`),
    });
    await stack.releases.writeSource({
      path: "handlers/show.js",
      text: SHOW,
    });
    await stack.releases.writeSource(definition("plain", { a: 1 }));
    await stack.releases.writeSource(
      definition("secret", {
        url: "env://BILLING_URL",
        header: "Bearer secrets://billing/token",
        vault: "vault://billing/token",
      }),
    );
    assert.equal((await stack.release()).result, "live");
  });
  after(async () => {
    await stack.close();
    await stores.close();
  });

  it("an API without references asks none of them", async () => {
    assert.deepEqual(await configSeen(stack, "plain"), { a: 1 });
    assert.deepEqual(stores.asked, []);
  });

  it("a handler gets the values, and those that were rotated with its next run", async () => {
    stores.values.set("/test/config/BILLING_URL", "https://billing.example");
    stores.values.set("test/config/billing/token", SECRET);
    assert.deepEqual(await configSeen(stack, "secret"), {
      url: "https://billing.example",
      header: `Bearer ${SECRET}`,
      vault: SECRET,
    });
    assert.deepEqual(
      new Set(stores.asked),
      new Set([
        "AmazonSSM.GetParameter /test/config/BILLING_URL",
        "secretsmanager.GetSecretValue test/config/billing/token",
      ]),
    );
    stores.values.set("test/config/billing/token", "rotated");
    assert.equal(((await configSeen(stack, "secret")) as { vault: string }).vault, "rotated");
  });

  it("no release, no log line and no report has a value", async () => {
    assert.doesNotMatch(lines.join("\n"), new RegExp(SECRET));
    const { Contents = [] } = await stack.clients.s3.send(
      new ListObjectsV2Command({ Bucket: stack.resources.FILES_BUCKET, Prefix: "releases/" }),
    );
    assert.ok(Contents.length > 0);
    for (const { Key = "" } of Contents) {
      const release = await stack.releases.read(Key.replace(/^releases\/|\.json$/g, ""));
      assert.doesNotMatch(JSON.stringify(release), /hunter2|rotated/);
    }
    assert.doesNotMatch(JSON.stringify(await stack.releases.history()), /hunter2|rotated/);
  });

  it("a value that is missing makes a dead letter that says which, and a store that is away none", async () => {
    stores.values.delete("/test/config/BILLING_URL");
    await post(stack, "secret");
    const { MessageAttributes = {} } = await stack.deadLetter();
    assert.equal(MessageAttributes.reason?.StringValue, "config-unresolved");
    assert.match(
      MessageAttributes.error?.StringValue ?? "",
      /^config_data of API secret: env:\/\/BILLING_URL: the parameter \/test\/config\/BILLING_URL: ParameterNotFound/,
    );
    stores.values.set("/test/config/BILLING_URL", "https://back.example");
    await configSeen(stack, "secret");
    stores.failing = { status: 500, name: "InternalServerError" };
    const seen = (await configSeen(stack, "secret")) as { url: string };
    assert.equal(seen.url, "https://back.example");
    assert.ok(lines.some((line) => line.includes("the last value of a reference is used")));
    assert.doesNotMatch(lines.join("\n"), /rotated|back\.example/);
  });
});
