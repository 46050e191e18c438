import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { type Api, type Definition, parseDefinitions, parseGateway } from "../../lib/apis/definition.ts";
import { AppError } from "../../lib/errors.ts";

const FILE = "apis/demo.json";

/** The only definition of a text; what is wrong with it is thrown. */
function readOne(text: string): Definition & { api: Api } {
  const definitions = parseDefinitions(FILE, text);
  assert.equal(definitions.length, 1);
  const [{ api, error, ...rest }] = definitions as [Definition];
  if (error) throw error;
  assert.ok(api);
  return { api, ...rest };
}
const parseDefinition = (text: string) => readOne(text).api;
const warningsOf = (value: unknown) => readOne(JSON.stringify(value)).warnings;

const dynamic = (name: string, path: string, rest: Record<string, unknown> = {}) => ({
  handler_name: "eh_dynamic_handler",
  handler_meta: { name, path, ...rest },
});
const withEvents = (events: unknown) => ({ api_id: "demo", event_handlers: { events } });
const parse = (value: unknown) => parseDefinition(JSON.stringify(value));

/** The error names the file and, one after the other, what leads to the member at fault. */
function refused(text: string, ...path: string[]) {
  assert.throws(
    () => parseDefinition(text),
    (error) => {
      assert.ok(error instanceof AppError, String(error));
      assert.equal(error.code, "definition-invalid");
      let from = 0;
      for (const part of ["apis/demo.json", ...path]) {
        from = error.message.indexOf(part, from);
        assert.notEqual(from, -1, `${error.message} does not name ${part}`);
        from += part.length;
      }
      return true;
    },
  );
}

describe("an API definition", () => {
  it("names the handlers of each event type in the order in which they run", () => {
    const api = parse({
      ...withEvents({
        QuotaExceeded: [dynamic("second", "b.js"), dynamic("first", "a.js"), dynamic("second", "b.js")],
        KeyExpired: [dynamic("ns.editor", "deep/down/c.js")],
      }),
      org_id: "o1",
      name: "Orders",
      proxy: { listen_path: "/orders/" },
    });
    assert.deepEqual(api, {
      api_id: "demo",
      org_id: "o1",
      name: "Orders",
      handlers: {
        QuotaExceeded: [
          { name: "second", path: "b.js" },
          { name: "first", path: "a.js" },
          { name: "second", path: "b.js" },
        ],
        KeyExpired: [{ name: "ns.editor", path: "deep/down/c.js" }],
      },
    });
  });

  it("may have no handlers at all", () => {
    for (const event_handlers of [undefined, null, {}, { events: null }, { events: {} }]) {
      assert.deepEqual(parse({ api_id: "demo", event_handlers }).handlers, {});
    }
    assert.deepEqual(parse(withEvents({ KeyExpired: null, AuthFailure: [] })).handlers, {});
  });

  it("gives its scripts the config_data of its author", () => {
    const config_data = { plan: "gold", limits: [1, 2], constructor: "c" };
    assert.deepEqual(parse({ api_id: "demo", config_data }).config_data, config_data);
    for (const none of [undefined, null]) {
      assert.equal("config_data" in parse({ api_id: "demo", config_data: none }), false);
    }
  });

  it("has script paths relative to handlers/, with a leading / dropped", () => {
    const { handlers } = parse(
      withEvents({ KeyExpired: [dynamic("a", "/a.js"), dynamic("b", "//deep/b.js")] }),
    );
    assert.deepEqual(
      handlers.KeyExpired?.map(({ path }) => path),
      ["a.js", "deep/b.js"],
    );
  });

  it("matches the members of handler_meta whatever their case, as the gateway does", () => {
    const meta = (handler_meta: unknown) => ({ handler_name: "eh_dynamic_handler", handler_meta });
    const { handlers } = parse(
      withEvents({
        KeyExpired: [meta({ Name: "a", PATH: "a.js" }), meta({ NAME: "b", Path: "b.js", Disabled: true })],
      }),
    );
    assert.deepEqual(handlers, { KeyExpired: [{ name: "a", path: "a.js" }] });
  });

  it("leaves out disabled handlers, even unfinished ones", () => {
    const off = { handler_name: "eh_dynamic_handler", handler_meta: { disabled: true } };
    const on = [
      dynamic("a", "a.js", { disabled: false }),
      dynamic("b", "b.js", { disabled: null }),
      dynamic("c", "c.js"),
    ];
    const { handlers } = parse(withEvents({ KeyExpired: [off, ...on, off], AuthFailure: [off] }));
    assert.deepEqual(Object.keys(handlers), ["KeyExpired"]);
    assert.deepEqual(
      handlers.KeyExpired?.map(({ name }) => name),
      ["a", "b", "c"],
    );
  });

  it("takes each name that JavaScript takes", () => {
    const names = ["$a", "_", "größe.öffne", "a\u200db", "ns.a.b2"];
    const { handlers } = parse(withEvents({ KeyExpired: names.map((name) => dynamic(name, "a.js")) }));
    assert.deepEqual(
      handlers.KeyExpired?.map(({ name }) => name),
      names,
    );
  });

  it("leaves the gateway's other handler kinds to the gateway", () => {
    const others = ["eh_log_handler", "eh_web_hook_handler", "cp_dynamic_handler"].map((handler_name) => ({
      handler_name,
      handler_meta: { prefix: "x", target_path: 7 },
    }));
    const { handlers } = parse(
      withEvents({ KeyExpired: [...others, dynamic("a", "a.js")], AuthFailure: others }),
    );
    assert.deepEqual(handlers, { KeyExpired: [{ name: "a", path: "a.js" }] });
    assert.deepEqual(
      parse(withEvents({ KeyExpired: [{ handler_name: "eh_log_handler", handler_meta: null }] })).handlers,
      {},
    );
  });

  it("takes event types that are named like members of every object", () => {
    const text = JSON.stringify(
      withEvents({ constructor: [dynamic("a", "a.js")], toString: [dynamic("b", "b.js")] }),
    );
    const { handlers } = parseDefinition(text);
    assert.deepEqual(Object.entries(handlers), [
      ["constructor", [{ name: "a", path: "a.js" }]],
      ["toString", [{ name: "b", path: "b.js" }]],
    ]);
  });

  it("changes no prototype by an event type named __proto__", () => {
    const events = `{"__proto__":[${JSON.stringify(dynamic("a", "a.js"))}]}`;
    const { handlers } = parseDefinition(`{"api_id":"demo","event_handlers":{"events":${events}}}`);
    assert.equal(Object.getPrototypeOf(handlers), Object.prototype);
    assert.equal(Array.isArray(Object.getPrototypeOf({})), false);
  });
});

describe("an entry that is no handler here", () => {
  it("of a kind that nobody knows is left out alone, with a warning", () => {
    const odd = withEvents({
      KeyExpired: [{ handler_name: "eh_future_handler" }, {}, dynamic("a", "a.js"), { handler_meta: {} }],
    });
    assert.deepEqual(parse(odd).handlers, { KeyExpired: [{ name: "a", path: "a.js" }] });
    const warnings = warningsOf(odd);
    assert.deepEqual(
      warnings.map((text) =>
        /^event_handlers\.events\.KeyExpired\.(\d)\.handler_name is "(\w*)"/.exec(text)?.slice(1),
      ),
      [
        ["0", "eh_future_handler"],
        ["1", ""],
        ["3", ""],
      ],
    );
    for (const warning of warnings) assert.match(warning, /eh_dynamic_handler would run a script/);
  });

  it("is not looked at when it is disabled", () => {
    const off = [
      { handler_name: "eh_future_handler", handler_meta: { disabled: true } },
      dynamic("a b", "../a.ts", { disabled: true }),
      { handler_name: "eh_dynamic_handler", handler_meta: { disabled: true, name: 7, path: [] } },
    ];
    assert.deepEqual(warningsOf(withEvents({ KeyExpired: off })), []);
    assert.deepEqual(parse(withEvents({ KeyExpired: off })).handlers, {});
  });
});

describe("members that are given twice", () => {
  const entry = (name: string) => JSON.stringify([dynamic(name, `${name}.js`)]);

  it("are merged as the gateway merges them: handlers of both, and of one event type the last", () => {
    const text = `{"api_id":"demo",
      "event_handlers":{"events":{"KeyExpired":${entry("a")},"AuthFailure":${entry("b")}}},
      "Event_Handlers":{"events":{"AuthFailure":${entry("c")},"QuotaExceeded":${entry("d")}}}}`;
    const names = Object.entries(parseDefinition(text).handlers).map(([type, refs]) => [
      type,
      ...refs.map(({ name }) => name),
    ]);
    assert.deepEqual(names, [
      ["KeyExpired", "a"],
      ["AuthFailure", "c"],
      ["QuotaExceeded", "d"],
    ]);
  });
});

describe("a webhook that brings events here", () => {
  const webhook = (gatehook: unknown, rest: Record<string, unknown> = {}) => ({
    handler_name: "eh_web_hook_handler",
    handler_meta: { target_path: "https://in.example/events/demo", method: "POST", gatehook, ...rest },
  });
  const handlersOf = (...entries: unknown[]) =>
    parse(withEvents({ KeyExpired: entries })).handlers.KeyExpired?.map(
      ({ name, path }) => `${name} ${path}`,
    );

  it("names the handler that runs for them", () => {
    assert.deepEqual(handlersOf(webhook({ name: "h", path: "./sub/h.js" }), dynamic("k", "k.js")), [
      "h sub/h.js",
      "k k.js",
    ]);
    const gateway = parseGateway(
      "gateway.json",
      JSON.stringify(withEvents({ TokenCreated: [webhook({ name: "t", path: "t.js" })] })),
    );
    assert.deepEqual(gateway.api?.handlers, { TokenCreated: [{ name: "t", path: "t.js" }] });
  });

  it("names none when it is disabled, or says nothing of a handler", () => {
    assert.equal(handlersOf(webhook({ name: "h", path: "h.js" }, { disabled: true })), undefined);
    for (const gatehook of [undefined, null]) assert.equal(handlersOf(webhook(gatehook)), undefined);
  });

  it("runs nothing twice that the same API names for the gateway too", () => {
    const own = dynamic("h", "h.js");
    const brought = webhook({ name: "h", path: "/h.js" });
    assert.deepEqual(handlersOf(own, brought), ["h h.js"]);
    assert.deepEqual(handlersOf(brought, own, dynamic("k", "k.js")), ["h h.js", "k k.js"]);
    assert.deepEqual(handlersOf(brought, brought), ["h h.js"]);
    // What the gateway itself runs twice, runs twice.
    assert.deepEqual(handlersOf(own, own, brought), ["h h.js", "h h.js"]);
    // Another handler of the same script, or another script, is another run.
    assert.deepEqual(
      handlersOf(own, webhook({ name: "g", path: "h.js" }), webhook({ name: "h", path: "g.js" })),
      ["h h.js", "g h.js", "h g.js"],
    );
    const types = { KeyExpired: [own], AuthFailure: [brought] };
    assert.deepEqual(Object.keys(parse(withEvents(types)).handlers), ["KeyExpired", "AuthFailure"]);
  });

  it("names several, which its events run one after the other", () => {
    const own = dynamic("h", "h.js");
    const both = webhook([
      { name: "h", path: "h.js" },
      { name: "k", path: "k.js", id: "passed over" },
    ]);
    assert.deepEqual(handlersOf(both), ["h h.js", "k k.js"]);
    assert.deepEqual(handlersOf(both, own), ["k k.js", "h h.js"]);
    assert.deepEqual(handlersOf(both, both), ["h h.js", "k k.js"]);
    assert.equal(handlersOf(webhook([])), undefined);
    // As where the gateway runs one twice.
    const twice = { name: "h", path: "h.js" };
    assert.deepEqual(handlersOf(webhook([twice, twice])), ["h h.js", "h h.js"]);
  });

  it("is refused with the member at fault", () => {
    const text = (gatehook: unknown) => JSON.stringify(withEvents({ KeyExpired: [webhook(gatehook)] }));
    refused(text({ path: "h.js" }), "handler_meta.gatehook.name");
    refused(text({ name: "h" }), "handler_meta.gatehook.path");
    refused(text({ name: "h", path: "../h.js" }), "handler_meta.gatehook.path");
    refused(text("h.js"), "handler_meta", "gatehook");
    refused(text([{ name: "h", path: "h.js" }, { name: "k" }]), "handler_meta.gatehook[1].path");
  });
});

describe("an API's session lifetime", () => {
  it("is read in both forms", () => {
    const lifetime = ({ session_lifetime, session_lifetime_respects_key_expiration }: Api) => [
      session_lifetime,
      session_lifetime_respects_key_expiration,
    ];
    const classic = { session_lifetime: 60, session_lifetime_respects_key_expiration: true };
    assert.deepEqual(lifetime(parse({ api_id: "demo", ...classic })), [60, true]);
    assert.deepEqual(lifetime(parse({ api_id: "demo", session_lifetime: 0 })), [undefined, undefined]);
    const oas = (customKeyLifetime: unknown) =>
      parse({
        "x-tyk-api-gateway": { info: { id: "demo" }, server: { authentication: { customKeyLifetime } } },
      });
    for (const [value, seconds] of [
      ["1h", 3_600],
      ["1m29s", 89],
      ["1h30m", 5_400],
      ["1.5s", 1],
      ["300ms", undefined],
      ["soon", undefined],
      ["", undefined],
      ["-5s", undefined],
    ] as const)
      assert.deepEqual(lifetime(oas({ enabled: true, value })), [seconds, undefined], value);
    assert.deepEqual(lifetime(oas({ enabled: false, value: "1h", respectValidity: true })), [
      undefined,
      true,
    ]);
    refused(JSON.stringify({ api_id: "demo", session_lifetime: 1.5 }), "session_lifetime");
  });
});

describe("a file with several definitions", () => {
  const one = (id: string, ...names: string[]) => ({
    api_id: id,
    event_handlers: { events: { KeyExpired: names.map((name) => dynamic(name, `${name}.js`)) } },
  });
  const idsOf = (value: unknown) =>
    parseDefinitions(FILE, JSON.stringify(value)).map(({ apiId, error }) =>
      error ? `${apiId}: ${error.message}` : apiId,
    );

  it("is a list, or what the dashboard exports, in whatever form each of them is", () => {
    const oas = { openapi: "3.0.3", "x-tyk-api-gateway": { info: { id: "o" } } };
    const exported = (id: string) => ({ api_model: {}, api_definition: one(id), hook_references: [] });
    assert.deepEqual(idsOf([one("a"), exported("b"), oas]), ["a", "b", "o"]);
    assert.deepEqual(idsOf(exported("x")), ["x"]);
    assert.deepEqual(idsOf({ apis: [exported("x"), exported("y")], pages: 1 }), ["x", "y"]);
    assert.deepEqual(idsOf({ api_definition: oas }), ["o"]);
  });

  it("has each of its mistakes told with its place, while the others are read", () => {
    const [first, second, third] = idsOf([
      one("a"),
      one("b", "not a name"),
      { api_definition: { name: "x" } },
    ]);
    assert.equal(first, "a");
    assert.match(
      second ?? "",
      /^b: apis\/demo\.json: \[1\]\.event_handlers.*handler_meta\.name is "not a name"/,
    );
    assert.match(third ?? "", /^: apis\/demo\.json: \[2\]\.api_definition\.api_id is missing/);
  });

  it("is read as deep as anybody writes one, and no deeper", () => {
    const nested = (depth: number): unknown => (depth === 0 ? one("a") : [nested(depth - 1)]);
    assert.deepEqual(idsOf(nested(3)), ["a"]);
    refused(JSON.stringify(nested(4)));
    refused("[".repeat(100_000));
    refused("[".repeat(5_000) + "]".repeat(5_000));
  });
});

describe("an OAS definition", () => {
  const oas = (eventHandlers: unknown, rest: Record<string, unknown> = {}) => ({
    openapi: "3.0.3",
    info: { title: "Orders" },
    "x-tyk-api-gateway": {
      info: { id: "demo", orgId: "o1", name: "Orders" },
      server: { eventHandlers },
      ...rest,
    },
  });
  const custom = (
    trigger: string,
    functionName: string,
    path: string,
    rest: Record<string, unknown> = {},
  ) => ({
    enabled: true,
    trigger,
    type: "custom",
    functionName,
    path,
    ...rest,
  });

  it("says the same as a classic one", () => {
    const api = parse(
      oas([
        custom("QuotaExceeded", "second", "b.js"),
        custom("KeyExpired", "ns.editor", "/deep/c.js", { name: "passed over" }),
        custom("QuotaExceeded", "first", "a.js"),
        custom("AuthFailure", "off", "off.js", { enabled: false }),
        { enabled: true, trigger: "KeyExpired", type: "webhook", url: "https://in.example" },
        { enabled: true, trigger: "KeyExpired", type: "log", logPrefix: "ke" },
      ]),
    );
    assert.deepEqual(api, {
      api_id: "demo",
      org_id: "o1",
      name: "Orders",
      handlers: {
        QuotaExceeded: [
          { name: "second", path: "b.js" },
          { name: "first", path: "a.js" },
        ],
        KeyExpired: [{ name: "ns.editor", path: "deep/c.js" }],
      },
    });
    assert.deepEqual(parse(oas(null)).handlers, {});
  });

  it("names in x-gatehook what its webhooks bring the events for, once with what the gateway runs", () => {
    const webhook = {
      enabled: true,
      trigger: "QuotaExceeded",
      type: "webhook",
      name: "gatehook",
      url: "https://w",
    };
    const withOwn = (entries: unknown[], eventHandlers: unknown) => ({
      ...oas(entries),
      "x-gatehook": { eventHandlers },
    });
    const carried = [
      custom("QuotaExceeded", "a", "a.js"),
      custom("KeyExpired", "b", "./b.js"),
      custom("KeyExpired", "off", "off.js", { enabled: false }),
    ];
    assert.deepEqual(parse(withOwn([webhook, custom("KeyExpired", "b", "b.js")], carried)).handlers, {
      QuotaExceeded: [{ name: "a", path: "a.js" }],
      KeyExpired: [{ name: "b", path: "b.js" }],
    });
    assert.deepEqual(parse(withOwn([], null)).handlers, {});
    const at = "x-gatehook.eventHandlers[1].path";
    refused(JSON.stringify(withOwn([], [carried[0], custom("KeyExpired", "b", "../b.js")])), at);
  });

  it("gives its scripts the plugins' data, when that is enabled", () => {
    const data = (enabled: boolean) => ({
      middleware: { global: { pluginConfig: { data: { enabled, value: { plan: "gold" } } } } },
    });
    assert.deepEqual(parse(oas([], data(true))).config_data, { plan: "gold" });
    assert.equal("config_data" in parse(oas([], data(false))), false);
  });

  it("has entries of an unknown type left out alone, with a warning, and disabled ones not looked at", () => {
    const given = oas([
      { enabled: true, trigger: "KeyExpired", type: "email" },
      { enabled: false, trigger: "KeyExpired", type: "email" },
      custom("KeyExpired", "a", "a.js"),
      custom("", "a b", "", { enabled: false }),
      { enabled: true, trigger: "KeyExpired", type: "webhook", gatehook: { name: "h", path: "h.js" } },
    ]);
    assert.deepEqual(parse(given).handlers, { KeyExpired: [{ name: "a", path: "a.js" }] });
    const [type, gatehook, ...others] = warningsOf(given);
    assert.match(type ?? "", /eventHandlers\[0\]\.type is "email".*custom would run a script/);
    assert.match(gatehook ?? "", /eventHandlers\[4\]\.gatehook has no effect.*into x-gatehook/);
    assert.deepEqual(others, []);
  });

  it("is refused with the member at fault", () => {
    const at = ["x-tyk-api-gateway", "eventHandlers[1]"];
    const second = (entry: unknown) => JSON.stringify(oas([custom("KeyExpired", "a", "a.js"), entry]));
    refused(second(custom("KeyExpired", "a;b", "a.js")), ...at, "functionName", "a;b");
    refused(second(custom("KeyExpired", "a", "")), ...at, "path");
    refused(second(custom("", "a", "a.js")), ...at, "trigger");
    refused(JSON.stringify({ "x-tyk-api-gateway": {} }), "info.id");
    refused(JSON.stringify({ "x-tyk-api-gateway": 7 }), "x-tyk-api-gateway");
  });
});

describe("the gateway's own configuration", () => {
  it("has handlers for events that belong to no API", () => {
    const text = JSON.stringify({
      listen_port: 8080,
      ...withEvents({ TokenCreated: [dynamic("t", "t.js")] }),
    });
    assert.deepEqual(parseGateway("gateway.json", text).api, {
      api_id: "gateway",
      org_id: "",
      name: "the gateway itself",
      handlers: { TokenCreated: [{ name: "t", path: "t.js" }] },
    });
  });
});

describe("the gateway's whole configuration", () => {
  const read = (config: Record<string, unknown>) => () =>
    parseGateway("gateway.json", JSON.stringify(config));

  it("is refused by what it holds: the gateway's secret, which is not told", () => {
    for (const [config, member] of [
      [{ listen_port: 8080, secret: "hunter2", ...withEvents({}) }, "secret"],
      [{ Secret: "hunter2" }, "Secret"],
      [{ node_secret: "hunter2" }, "node_secret"],
      [{ storage: { type: "redis", password: "hunter2" } }, "storage.password"],
      [{ secrets: { billing: "hunter2" } }, "secrets"],
    ] as const)
      assert.throws(read(config), (error) => {
        assert.ok(error instanceof AppError && error.code === "definition-secret");
        assert.match(error.message, new RegExp(`^gateway\\.json: ${member} is a secret of the gateway`));
        assert.doesNotMatch(`${error.message} ${error.stack}`, /hunter2/);
        return true;
      });
  });

  it("is taken where it holds none, as when the secrets are in the environment", () => {
    const header_map = { "X-Secret": "its own" };
    const events = {
      TokenCreated: [{ handler_name: "eh_web_hook_handler", handler_meta: { header_map } }],
    };
    const config = { listen_port: 8080, secret: "", storage: { password: "" }, ...withEvents(events) };
    assert.doesNotThrow(read(config));
  });
});

describe("a script's path", () => {
  const pathOf = (path: string) =>
    parse(withEvents({ KeyExpired: [dynamic("a", path)] })).handlers.KeyExpired?.[0]?.path;

  it("is the same however it is written", () => {
    for (const path of ["./a.js", "/a.js", ".//a.js", "sub/../a.js", "././sub/./../a.js", "/sub//..//a.js"])
      assert.equal(pathOf(path), "a.js", path);
    for (const path of ["sub//a.js", "sub/./a.js", "./sub/x/../a.js"])
      assert.equal(pathOf(path), "sub/a.js", path);
  });

  it("leads to a .js file below handlers/, whatever else is written", () => {
    const paths = [
      "../a.js",
      "a/../../b.js",
      "/../a.js",
      "a.js/..",
      "a.js/",
      "a\\b.js",
      "C:\\a.js",
      "a\u0000.js",
      "a.ts",
      "a/",
      "..",
      "/",
    ];
    for (const path of paths)
      refused(JSON.stringify(withEvents({ KeyExpired: [dynamic("a", path)] })), "handler_meta.path");
    for (const path of ["größe.js", "A/b c.js", "..a.js", "a..b/c.js"]) assert.equal(pathOf(path), path);
  });
});

describe("a wrong definition", () => {
  it("is refused with its file when it is no JSON object", () => {
    for (const text of ["", "{", "api_id: demo", "null", "[]", "5", '"demo"']) refused(text);
  });

  it("is refused with its file and the member at fault", () => {
    const trigger = (entry: unknown) => withEvents({ KeyExpired: [dynamic("a", "a.js"), entry] });
    const meta = (handler_meta: unknown) => trigger({ handler_name: "eh_dynamic_handler", handler_meta });
    const at = ["event_handlers", "events", "KeyExpired", "1"];
    const wrong: [unknown, ...string[]][] = [
      [{}, "api_id"],
      [{ api_id: "" }, "api_id"],
      [{ api_id: 7 }, "api_id"],
      [{ api_id: "demo", org_id: 7 }, "org_id"],
      [{ api_id: "demo", config_data: "plan" }, "config_data"],
      [{ api_id: "demo", event_handlers: [] }, "event_handlers"],
      [withEvents([]), "event_handlers", "events"],
      [withEvents({ KeyExpired: {} }), "event_handlers", "events", "KeyExpired"],
      [trigger("a.js"), ...at],
      [trigger({ handler_name: 7 }), ...at, "handler_name"],
      [meta("a.js"), ...at, "handler_meta"],
      [trigger({ handler_name: "eh_dynamic_handler" }), ...at, "handler_meta", "name"],
      [meta({ path: "a.js" }), ...at, "handler_meta", "name"],
      [meta({ name: "a" }), ...at, "handler_meta", "path"],
      [meta({ name: "", path: "a.js" }), ...at, "handler_meta", "name"],
      [meta({ name: "a", path: "" }), ...at, "handler_meta", "path"],
      [meta({ name: "a", path: ["a.js"] }), ...at, "handler_meta", "path"],
      [meta({ name: "a-b", path: "a.js" }), ...at, "handler_meta", "name", "a-b"],
      [meta({ name: "a();b", path: "a.js" }), ...at, "handler_meta", "name", "a();b"],
      [meta({ name: "a", path: "a.js", disabled: "yes" }), ...at, "handler_meta", "disabled"],
    ];
    for (const [value, ...path] of wrong) refused(JSON.stringify(value), ...path);
  });

  it("is told with its api_id as far as that can be read, so that its API can be kept as it is", () => {
    const ids = (value: unknown) =>
      parseDefinitions(FILE, JSON.stringify(value)).map(({ apiId, error }) => [apiId, error?.code]);
    assert.deepEqual(ids(withEvents([])), [["demo", "definition-invalid"]]);
    assert.deepEqual(ids({ api_id: 7 }), [["", "definition-invalid"]]);
    assert.deepEqual(ids({ "x-tyk-api-gateway": { info: { id: "o" }, server: { eventHandlers: 1 } } }), [
      ["o", "definition-invalid"],
    ]);
  });
});

describe("for whatever definition", () => {
  it("nothing but definition-invalid is thrown", () => {
    const trigger = fc.record(
      {
        handler_name: fc.oneof(fc.constantFrom("eh_dynamic_handler", "eh_log_handler"), fc.string()),
        handler_meta: fc.oneof(
          fc.dictionary(fc.constantFrom("name", "Path", "path", "disabled", "__proto__"), fc.jsonValue()),
          fc.jsonValue(),
        ),
      },
      { requiredKeys: [] },
    );
    const events = fc.dictionary(
      fc.oneof(fc.constantFrom("__proto__", "constructor"), fc.string()),
      fc.array(trigger),
    );
    const definition = fc.record(
      { api_id: fc.string(), event_handlers: fc.oneof(fc.record({ events }), fc.jsonValue()) },
      { requiredKeys: [] },
    );
    const text = fc.oneof(
      fc.string({ unit: "binary" }),
      fc.json(),
      definition.map((value) => JSON.stringify(value)),
    );
    fc.assert(
      fc.property(text, (given) => {
        try {
          for (const { api, error } of parseDefinitions("apis/any.json", given)) {
            if (error) assert.equal(error.code, "definition-invalid");
            else assert.ok(api?.api_id);
            for (const { name, path } of Object.values(api?.handlers ?? {}).flat()) {
              assert.ok(name);
              assert.ok(!path.startsWith("/") && !path.startsWith("../"));
            }
          }
        } catch (error) {
          assert.ok(error instanceof AppError && error.code === "definition-invalid", String(error));
        }
      }),
      { numRuns: 1_000 },
    );
  });
});
