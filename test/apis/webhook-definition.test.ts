import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { parseDefinitions } from "../../lib/apis/definition.ts";
import { AppError } from "../../lib/errors.ts";
import {
  isOwn,
  parseCoalesce,
  parseLogHandler,
  parseOasWebhook,
  parseWebhook,
} from "../../lib/webhooks/definition.ts";

const AT = "event_handlers.events.AuthFailure.0.handler_meta";

function place() {
  const warnings: string[] = [];
  const warn = (message: string) => void warnings.push(message);
  return { source: { file: "apis/a.json", at: "", warn }, at: AT, warnings };
}

const META = { method: "post", target_path: "https://in.example/hooks", gatehook: true };
const read = (meta: object) => parseWebhook(place(), { ...META, ...meta });
const warningsOf = (meta: object) => {
  const where = place();
  parseWebhook(where, { ...META, ...meta });
  return where.warnings;
};

function refused(work: () => unknown, field: string, message: RegExp): AppError {
  try {
    work();
  } catch (error) {
    assert(error instanceof AppError, String(error));
    assert.equal(error.code, "definition-invalid");
    assert(error.message.startsWith("apis/a.json: "), error.message);
    assert(error.message.includes(field), error.message);
    assert.match(error.message, message);
    return error;
  }
  throw new Error("taken");
}

describe("a webhook of a definition", () => {
  it("is read with what it leaves out", () => {
    assert.deepEqual(read({}), {
      method: "POST",
      target: "https://in.example/hooks",
      headers: [],
      json: false,
      cooldownSeconds: 0,
    });
  });

  it("is read with all that it may have, in the gateway's names whatever their case", () => {
    const meta = {
      Method: "PATCH",
      TARGET_PATH: "http://u:p@in.example:8080/h?a=b",
      header_map: { "X-A": "1", "Content-Type": "application/xml; é" },
      template_path: "templates/sub/./a.json",
      event_timeout: 60,
      id: "1",
      name: "n",
      gatehook: { json: false, coalesce: { window: "5m", by: "Key" } },
    };
    assert.deepEqual(parseWebhook(place(), meta), {
      method: "PATCH",
      target: "http://u:p@in.example:8080/h?a=b",
      headers: [
        ["X-A", "1"],
        ["Content-Type", "application/xml; é"],
      ],
      template: "sub/a.json",
      json: false,
      cooldownSeconds: 60,
      coalesce: { windowSeconds: 300, by: "Key" },
    });
  });

  const wrong: [meta: object, field: string, message: RegExp][] = [
    [{ method: "TRACE" }, "method", /"TRACE".*one of GET, POST, PUT, PATCH, DELETE/],
    [{ method: 123 }, "handler_meta", /method.*a string/],
    [{ target_path: "" }, "target_path", /is missing/],
    [{ target_path: "in.example/hooks" }, "target_path", /not an address/],
    [{ target_path: "/hooks" }, "target_path", /not an address/],
    [{ target_path: "ftp://in.example/" }, "target_path", /only http and https/],
    [{ target_path: "https:///hooks" }, "target_path", /no valid host/],
    [{ target_path: "https://in.example/a\r\nX: y" }, "target_path", /control character/],
    [{ header_map: { "X-A": "a\r\nX-B: b" } }, 'header_map["X-A"]', /line break/],
    [{ header_map: { "X-A": "a\u0000" } }, 'header_map["X-A"]', /control character/],
    [{ header_map: { "X-A\r\nX-B": "b" } }, 'header_map["X-A\\r\\nX-B"]', /not a header's name/],
    [{ header_map: { "": "b" } }, 'header_map[""]', /not a header's name/],
    [{ header_map: { "X A": "b" } }, 'header_map["X A"]', /not a header's name/],
    [{ header_map: { "Webhook-Id": "b" } }, "Webhook-Id", /set by gatehook itself/],
    [{ header_map: { "X-A": 1 } }, "header_map", /a string/],
    [{ header_map: { "X-A": "a".repeat(70_000) } }, "header_map", /larger than any server takes/],
    [{ template_path: "../a.json" }, "template_path", /below templates/],
    [{ template_path: "templates/../../a.json" }, "template_path", /below templates/],
    [{ template_path: "templates/" }, "template_path", /below templates/],
    [{ template_path: "a\\b" }, "template_path", /below templates/],
    [{ template_path: "a\nb" }, "template_path", /below templates/],
    [{ event_timeout: -1 }, "event_timeout", /from 0 to 2592000/],
    [{ event_timeout: 31_536_000 }, "event_timeout", /30 days/],
    [{ event_timeout: 1.5 }, "event_timeout", /integer/],
    [{ gatehook: { coalesce: {} } }, "gatehook.coalesce.window", /is missing.*from 1s to 12h/],
    [{ gatehook: { coalesce: { window: "0s" } } }, "gatehook.coalesce.window", /"0s".*from 1s to 12h/],
    [{ gatehook: { coalesce: { window: "8760h" } } }, "gatehook.coalesce.window", /from 1s to 12h/],
    [{ gatehook: { coalesce: { window: "1d" } } }, "gatehook.coalesce.window", /such as 60s/],
    [{ gatehook: { coalesce: { window: 60 } } }, "coalesce", /a string/],
    [{ gatehook: { coalesce: { window: "60s", by: "a\u0000" } } }, "coalesce.by", /name of a member/],
    [{ gatehook: { json: "yes", coalesce: null } }, "gatehook.json", /a boolean/],
    [
      { gatehook: { json: true, colaesce: {} } },
      "gatehook.colaesce",
      /is not known here: there is json, coalesce/,
    ],
  ];
  for (const [meta, field, message] of wrong)
    it(`is refused by its ${field}: ${JSON.stringify(meta).slice(0, 60)}`, () => {
      refused(() => read(meta), field, message);
    });

  it("is refused without a word of a header's value", () => {
    const { message } = refused(() => read({ header_map: { A: "s3cret\n" } }), "header_map", /line break/);
    assert(!message.includes("s3cret"));
  });

  it("is warned of where something of it has no effect", () => {
    assert.deepEqual(warningsOf({}), []);
    assert.match(
      warningsOf({ method: "" })[0] ?? "",
      /handler_meta\.method is missing: as in the gateway, GET/,
    );
    assert.match(warningsOf({ header_map: { host: "x" } })[0] ?? "", /header_map\["host"\] has no effect/);
    const both = { template_path: "a.json", gatehook: { json: true } };
    assert.match(warningsOf(both)[0] ?? "", /gatehook\.json has no effect beside template_path/);
  });

  it("has a window from 1s to 12h, and no other", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 1_000_000_000 }),
        fc.constantFrom("s", "m", "h"),
        (count, unit) => {
          const seconds = count * { s: 1, m: 60, h: 3_600 }[unit];
          const work = () => parseCoalesce(place(), { window: `${count}${unit}` });
          if (seconds >= 1 && seconds <= 43_200) assert.deepEqual(work(), { windowSeconds: seconds });
          else refused(work, "coalesce.window", /from 1s to 12h/);
        },
      ),
    );
  });
});

describe("a log handler of a definition", () => {
  it("has its prefix, and may coalesce", () => {
    assert.deepEqual(parseLogHandler(place(), { prefix: "p", gatehook: true }), { prefix: "p" });
    const meta = { gatehook: { coalesce: { window: "60s" } } };
    assert.deepEqual(parseLogHandler(place(), meta), { prefix: "", coalesce: { windowSeconds: 60 } });
    refused(() => parseLogHandler(place(), { gatehook: { json: true } }), "gatehook.json", /not known here/);
    refused(() => parseLogHandler(place(), { prefix: 1 }), "prefix", /a string/);
  });
});

describe("the member gatehook", () => {
  it("says that an entry is run here, or names the scripts that a webhook brings the events of", () => {
    for (const own of [true, { coalesce: { window: "60s" } }, { json: true }]) assert.equal(isOwn(own), true);
    const others = [
      undefined,
      null,
      false,
      "x",
      1,
      [],
      [{ json: true }],
      {},
      { name: "h", path: "h.js" },
      { name: "h", json: true },
    ];
    for (const other of others) assert.equal(isOwn(other), false, JSON.stringify(other));
  });
});

describe("a webhook in an OAS document", () => {
  const webhook = {
    enabled: true,
    trigger: "AuthFailure",
    type: "webhook",
    url: "https://in.example/",
    method: "POST",
  };
  const log = { enabled: true, trigger: "AuthFailure", type: "log", logPrefix: "p" };
  const document = (entry: object, gateways: object[] = []) => {
    const [read] = parseDefinitions(
      "apis/a.json",
      JSON.stringify(
        {
          "x-tyk-api-gateway": { info: { id: "a" }, server: { eventHandlers: gateways } },
          "x-gatehook": { eventHandlers: [entry] },
        },
        null,
        2,
      ),
    );
    assert(read);
    return read;
  };

  it("is read under the names that it has there", () => {
    const entry = {
      method: "put",
      url: "https://in.example/",
      headers: [
        { name: "X-A", value: "1" },
        { name: "X-A", value: "2" },
      ],
      bodyTemplate: "templates/a.json",
      cooldownPeriod: 89,
      gatehook: { coalesce: { window: "60s", by: "Key" } },
    };
    assert.deepEqual(parseOasWebhook({ ...place(), at: "x-gatehook.eventHandlers[0]" }, entry), {
      method: "PUT",
      target: "https://in.example/",
      headers: [["X-A", "2"]],
      template: "a.json",
      json: false,
      cooldownSeconds: 89,
      coalesce: { windowSeconds: 60, by: "Key" },
    });
  });

  it("is checked in our own extension, and left alone in the gateway's", () => {
    for (const entry of [webhook, log]) {
      const { error, warnings, api } = document(entry);
      assert.equal(error, undefined);
      assert.deepEqual(warnings, []);
      assert.deepEqual(
        api?.own?.AuthFailure?.map(({ kind }) => kind),
        [entry.type],
      );
      assert.equal(document(log, [entry]).api?.own?.AuthFailure?.length, 1, "the gateway's own is its own");
    }
    const wrong: [entry: object, message: RegExp][] = [
      [{ ...webhook, url: "x" }, /eventHandlers\[0\]\.url is not an address/],
      [{ ...webhook, method: "X" }, /eventHandlers\[0\]\.method is "X"/],
      [
        { ...webhook, headers: [{ name: "A", value: "b\n" }] },
        /eventHandlers\[0\]\.headers\["A"\] has a line break/,
      ],
      [{ ...webhook, bodyTemplate: "../a" }, /eventHandlers\[0\]\.bodyTemplate/],
      [{ ...webhook, cooldownPeriod: "800h" }, /eventHandlers\[0\]\.cooldownPeriod is 2880000/],
      [{ ...webhook, trigger: "" }, /eventHandlers\[0\]\.trigger is missing/],
      [{ ...webhook, url: 7 }, /url/],
      [{ ...log, gatehook: { coalesce: { window: "0s" } } }, /gatehook\.coalesce\.window is "0s"/],
    ];
    for (const [entry, message] of wrong) {
      assert.match(document(entry).error?.message ?? "", message);
      assert.equal(document({ ...entry, enabled: false, url: "" }).error, undefined);
      assert.deepEqual(document(log, [{ ...entry, trigger: "AuthFailure" }]).error, undefined);
    }
  });
});

describe("a definition with the gateway's other handlers", () => {
  const definition = (...entries: object[]) => {
    const api = { api_id: "a", event_handlers: { events: { AuthFailure: entries } } };
    const [read] = parseDefinitions("apis/a.json", JSON.stringify(api));
    // As people write it: on many lines, it is parsed in another way.
    const [written] = parseDefinitions("apis/a.json", JSON.stringify(api, null, 2));
    assert(read);
    assert.deepEqual(written, read);
    return read;
  };
  const entry = (handler_name: string, handler_meta: object) => ({ handler_name, handler_meta });

  it("says that a plugin stays in the gateway, unless it is disabled", () => {
    const { api, warnings } = definition(entry("cp_dynamic_handler", { name: "my_plugin" }));
    assert.deepEqual(api?.handlers, {});
    assert.equal(warnings.length, 1);
    assert.match(warnings[0] ?? "", /AuthFailure\.0\.handler_name is "cp_dynamic_handler".*it stays there/);
    assert.deepEqual(definition(entry("cp_dynamic_handler", { disabled: true })).warnings, []);
  });

  it("runs those here that say so, each under a name of its own that tells nothing of its target's path", () => {
    const { api, warnings } = definition(
      entry("eh_web_hook_handler", META),
      entry("eh_web_hook_handler", { ...META, target_path: "https://u:p@in.example/secret?token=1" }),
      entry("eh_web_hook_handler", { ...META, name: "billing" }),
      entry("eh_web_hook_handler", { ...META, name: "billing" }),
      entry("eh_log_handler", { prefix: "p", gatehook: true }),
      entry("eh_log_handler", { prefix: "left to the gateway" }),
    );
    assert.deepEqual(api?.handlers, {});
    assert.deepEqual(warnings, []);
    const entries = api?.own?.AuthFailure?.map((own) => own.entry) ?? [];
    assert.deepEqual(
      entries.map((text) => text.replace(/[0-9a-f]{8}$/, "…")),
      ["webhook:in.example/…", "webhook:in.example/…", "webhook:billing", "webhook:billing#2", "log:p"],
    );
    assert.equal(new Set(entries).size, 5);
    const { error } = definition(entry("eh_web_hook_handler", { ...META, target_path: "x" }));
    assert.match(error?.message ?? "", /AuthFailure\.0\.handler_meta\.target_path is not an address/);
  });

  it("runs all of them here where the gateway's copy has none, but those that bring events, or say no", () => {
    const [read] = parseDefinitions(
      "apis/a.json",
      JSON.stringify({
        api_id: "a",
        event_handlers: {
          events: {
            AuthFailure: [
              entry("eh_web_hook_handler", { ...META, gatehook: undefined }),
              entry("eh_log_handler", { prefix: "p" }),
              entry("eh_log_handler", { prefix: "no", gatehook: false }),
              entry("eh_web_hook_handler", { ...META, gatehook: [{ name: "h", path: "h.js" }] }),
              entry("eh_log_handler", { prefix: "off", disabled: true }),
            ],
          },
        },
      }),
      { runsAll: true },
    );
    assert.deepEqual(
      read?.api?.own?.AuthFailure?.map(({ kind }) => kind),
      ["webhook", "log"],
    );
    assert.deepEqual(read?.api?.handlers, { AuthFailure: [{ name: "h", path: "h.js" }] });
    const [oas] = parseDefinitions(
      "apis/o.json",
      JSON.stringify({
        "x-tyk-api-gateway": {
          info: { id: "o" },
          server: {
            eventHandlers: [
              {
                enabled: true,
                trigger: "AuthFailure",
                type: "webhook",
                url: "https://in.example/",
                method: "PUT",
              },
              { enabled: true, trigger: "AuthFailure", type: "log", logPrefix: "p" },
            ],
          },
        },
      }),
      { runsAll: true },
    );
    assert.deepEqual(
      oas?.api?.own?.AuthFailure?.map(({ kind }) => kind),
      ["webhook", "log"],
    );
  });

  it("takes coalesce for a script, in each place that names one, and refuses a window of 0 or of a year", () => {
    const meta = { name: "h", path: "h.js", gatehook: { coalesce: { window: "60s", by: "Key" } } };
    const ref = { name: "h", path: "h.js", coalesce: { windowSeconds: 60, by: "Key" } };
    assert.deepEqual(definition(entry("eh_dynamic_handler", meta)).api?.handlers, { AuthFailure: [ref] });
    const { coalesce } = meta.gatehook;
    const brought = entry("eh_web_hook_handler", {
      gatehook: [{ name: "h", path: "h.js", gatehook: { coalesce } }],
    });
    assert.deepEqual(definition(brought).api?.handlers, { AuthFailure: [ref] });
    for (const window of ["0s", "8760h", "1d", ""]) {
      const wrong = entry("eh_dynamic_handler", { ...meta, gatehook: { coalesce: { window } } });
      assert.match(definition(wrong).error?.message ?? "", /gatehook\.coalesce\.window .*from 1s to 12h/);
    }
    const unknown = entry("eh_dynamic_handler", { ...meta, gatehook: { json: true } });
    assert.match(
      definition(unknown).error?.message ?? "",
      /gatehook\.json is not known here: there is coalesce/,
    );
  });

  it("leaves them to the gateway otherwise, whatever is in them", () => {
    const wrong = { target_path: 7, method: [], prefix: 7 };
    for (const kind of ["eh_web_hook_handler", "eh_log_handler"])
      for (const gatehook of [undefined, false])
        assert.deepEqual(definition(entry(kind, { ...wrong, gatehook })).warnings, []);
    const off = { ...wrong, disabled: true, gatehook: true };
    assert.deepEqual(definition(entry("eh_web_hook_handler", off)).warnings, []);
  });
});
