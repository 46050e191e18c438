import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { parseDefinition, parseGateway } from "../lib/apis/definition.ts";
import { AppError } from "../lib/errors.ts";

const dynamic = (name: string, path: string, rest: Record<string, unknown> = {}) => ({
  handler_name: "eh_dynamic_handler",
  handler_meta: { name, path, ...rest },
});
const withEvents = (events: unknown) => ({ api_id: "demo", event_handlers: { events } });
const parse = (value: unknown) => parseDefinition("apis/demo.json", JSON.stringify(value));

/** The error names the file and, one after the other, what leads to the member at fault. */
function refused(text: string, ...path: string[]) {
  assert.throws(
    () => parseDefinition("apis/demo.json", text),
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
    const { handlers } = parseDefinition("apis/demo.json", text);
    assert.deepEqual(Object.entries(handlers), [
      ["constructor", [{ name: "a", path: "a.js" }]],
      ["toString", [{ name: "b", path: "b.js" }]],
    ]);
  });

  it("changes no prototype by an event type named __proto__", () => {
    const events = `{"__proto__":[${JSON.stringify(dynamic("a", "a.js"))}]}`;
    const { handlers } = parseDefinition(
      "apis/demo.json",
      `{"api_id":"demo","event_handlers":{"events":${events}}}`,
    );
    assert.equal(Object.getPrototypeOf(handlers), Object.prototype);
    assert.equal(Array.isArray(Object.getPrototypeOf({})), false);
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

  it("gives its scripts the plugins' data, when that is enabled", () => {
    const data = (enabled: boolean) => ({
      middleware: { global: { pluginConfig: { data: { enabled, value: { plan: "gold" } } } } },
    });
    assert.deepEqual(parse(oas([], data(true))).config_data, { plan: "gold" });
    assert.equal("config_data" in parse(oas([], data(false))), false);
  });

  it("is refused with the member at fault", () => {
    const at = ["x-tyk-api-gateway", "eventHandlers[1]"];
    const second = (entry: unknown) => JSON.stringify(oas([custom("KeyExpired", "a", "a.js"), entry]));
    refused(second(custom("KeyExpired", "a;b", "a.js")), ...at, "functionName", "a;b");
    refused(second(custom("KeyExpired", "a", "")), ...at, "path");
    refused(second(custom("", "a", "a.js")), ...at, "trigger");
    refused(second({ enabled: true, trigger: "KeyExpired", type: "js" }), ...at, "type", "custom");
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
    assert.deepEqual(parseGateway("gateway.json", text), {
      api_id: "gateway",
      org_id: "",
      name: "the gateway itself",
      handlers: { TokenCreated: [{ name: "t", path: "t.js" }] },
    });
  });
});

describe("a script's path", () => {
  it("leads to a .js file below handlers/, whatever else is written", () => {
    const paths = [
      "../a.js",
      "a/../../b.js",
      "./a.js",
      "a//b.js",
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
    for (const path of ["größe.js", "A/b c.js", "..a.js", "a..b/c.js"])
      assert.equal(
        parse(withEvents({ KeyExpired: [dynamic("a", path)] })).handlers.KeyExpired?.[0]?.path,
        path,
      );
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
      [trigger({ handler_meta: {} }), ...at, "handler_name"],
      [trigger({ handler_name: "eh_dynamic" }), ...at, "handler_name", "eh_dynamic"],
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

  it("names the kind that runs a script, when the kind is none", () => {
    refused(JSON.stringify(withEvents({ KeyExpired: [{ handler_name: "js" }] })), "eh_dynamic_handler");
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
          const { api_id, handlers } = parseDefinition("apis/any.json", given);
          assert.ok(api_id);
          for (const { name, path } of Object.values(handlers).flat()) {
            assert.ok(name);
            assert.ok(!path.startsWith("/"));
          }
        } catch (error) {
          assert.ok(error instanceof AppError && error.code === "definition-invalid", String(error));
        }
      }),
      { numRuns: 1_000 },
    );
  });
});
