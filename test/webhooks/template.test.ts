import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import fc from "fast-check";
import { AppError } from "../../lib/errors.ts";
import type { GatewayEvent } from "../../lib/events/event.ts";
import { defaultBody, hasDefaultBody, jsonBody } from "../../lib/webhooks/default-body.ts";
import { templateValue } from "../../lib/webhooks/template/event.ts";
import {
  MAX_TEMPLATE_BYTES,
  parseTemplate,
  render,
  templateProblems,
} from "../../lib/webhooks/template/template.ts";
import { WEBHOOK_BODIES, wholeEvent } from "../helpers/webhook-bodies.ts";

const golden = <T>(name: string): T =>
  JSON.parse(readFileSync(new URL(`golden/${name}.json`, import.meta.url), "utf8")) as T;

type Results = Record<string, Record<string, string | null>>;

const EVENTS = golden<{ name: string; event: GatewayEvent }[]>("events");
const TEMPLATES = golden<{ name: string; text: string }[]>("templates");
const RESULTS = golden<Results>("results");
const DEFAULTS = golden<Results>("default").default ?? {};

/** What Go takes, and what is left out here. */
const LEFT_OUT = ["an action in a tag"];

const FILE = "templates/a.json";
const made = (text: string, event: GatewayEvent) => render(parseTemplate(FILE, text), templateValue(event));

/** Null for what is refused, or ends with an error. */
function orNull(work: () => string): string | null {
  try {
    return work();
  } catch (error) {
    assert(error instanceof AppError, String(error));
    assert.match(error.code, /^template-(invalid|failed)$/);
    return null;
  }
}

function refusal(text: string, event = EVENTS[0]?.event as GatewayEvent): AppError {
  try {
    made(text, event);
  } catch (error) {
    assert(error instanceof AppError, String(error));
    return error;
  }
  throw new Error(`taken: ${text}`);
}

describe("a template, as Go renders it", () => {
  for (const { name, text } of TEMPLATES.filter(({ name }) => !LEFT_OUT.includes(name)))
    it(`with ${name}`, () => {
      for (const { name: eventName, event } of EVENTS)
        assert.equal(
          orNull(() => made(text, event)),
          RESULTS[name]?.[eventName],
          eventName,
        );
    });

  it("is tried with every type of event, and each is rendered by some template", () => {
    assert.equal(new Set(EVENTS.map(({ event }) => event.Type)).size, 26);
    for (const { name } of EVENTS)
      assert(
        Object.values(RESULTS).some((results) => typeof results[name] === "string"),
        name,
      );
  });

  it("is what a running gateway sent by a template of a form", () => {
    const text =
      "Type={{.Type | urlquery}}&TimeStamp={{.TimeStamp | urlquery}}&Message={{.Meta.Message | urlquery}}" +
      "&Path={{.Meta.Path | urlquery}}\n";
    const sent = WEBHOOK_BODIES.filter(({ form }) => form === "D");
    assert.equal(sent.length, 8);
    for (const { type, body } of sent) assert.equal(made(text, wholeEvent(type)), body, type);
  });
});

describe("the default body", () => {
  it("is the gateway's, to the byte", () => {
    for (const { name, event } of EVENTS)
      assert.equal(
        orNull(() => defaultBody(event)),
        DEFAULTS[name],
        name,
      );
  });

  it("is what a running gateway sent", () => {
    const sent = WEBHOOK_BODIES.filter(({ form }) => form === "default" || form === "shipdefault");
    assert.equal(sent.length, 18);
    for (const { type, body } of sent) assert.equal(defaultBody(wholeEvent(type)), body, type);
  });

  it("of a breaker is the shipped template of breakers, without its empty lines", () => {
    const [{ body = "" } = {}] = WEBHOOK_BODIES.filter(
      ({ form, type }) => form === "breaker" && type === "BreakerTriggered",
    );
    assert.equal(defaultBody(wholeEvent("BreakerTriggered")).trim(), body.trim());
  });

  it("does not exist for the events of tokens, and the error says what to do", () => {
    const event = { Type: "TokenCreated", Meta: {}, TimeStamp: "" };
    assert.equal(hasDefaultBody("TokenCreated"), false);
    assert.throws(() => defaultBody(event), /TokenCreated.*template_path.*"json": true/);
  });
});

const parses = (text: string) => {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
};

describe("the JSON body", () => {
  it("is JSON for every event, and the default body where that is JSON", () => {
    let same = 0;
    for (const { name, event } of EVENTS) {
      const body = jsonBody(event);
      assert(parses(body), name);
      const usual = orNull(() => defaultBody(event));
      if (usual === null || !parses(usual)) continue;
      assert.equal(body, usual, name);
      same += 1;
    }
    assert(same > 20, String(same));
  });

  it("is JSON whatever the values are", () => {
    const text = fc.string({ unit: "binary" });
    fc.assert(
      fc.property(fc.constantFrom(...EVENTS), text, text, ({ event }, Message, other) => {
        const Meta = { ...event.Meta, Message, Path: other, Key: other, APIID: other };
        assert(parses(jsonBody({ ...event, Meta, TimeStamp: other })));
      }),
    );
  });

  it("has the members of a token, which the default body has not", () => {
    const Meta = { Message: "Key generated.", OriginatingRequest: "", Org: "o", Key: "k" };
    assert.deepEqual(JSON.parse(jsonBody({ Type: "TokenCreated", Meta, TimeStamp: "" })), {
      event: "TokenCreated",
      message: "Key generated.",
      org: "o",
      key: "k",
    });
  });
});

describe("what is left out of the language", () => {
  const cases: [text: string, line: number, message: RegExp][] = [
    ['{{define "a"}}x{{end}}', 1, /no define: write the whole body/],
    ['\n{{template "a" .}}', 2, /no template: write its text/],
    ['{{block "a" .}}{{end}}', 1, /no block/],
    ["{{range 3}}{{break}}{{end}}", 1, /no break: choose with if/],
    ["{{range 3}}\n\n{{continue}}{{end}}", 3, /no continue/],
    ['{{printf "%s" .Type}}', 1, /no function printf.*print/],
    ['\n\n<event type="{{.Type}}">', 3, /in the value of an attribute/],
    ["<event {{.Type}}>", 1, /in a tag/],
    ["<!-- {{.Type}} -->", 1, /in a comment of HTML/],
    ["<script>{{.}}</script>", 1, /no <script>/],
    ["<STYLE>a</STYLE>", 1, /no <STYLE>/],
    ["<title>{{.Type}}</title>", 1, /no <title>/],
    ['<a onclick="x">', 1, /no attribute onclick/],
    ['<a data-style="x">', 1, /no attribute data-style/],
    ["{{'a'}}", 1, /no meaning/],
    ["{{1i}}", 1, /not a number/],
    ["{{0x1p-2}}", 1, /not a number/],
    ["{{18446744073709551615}}", 1, /beyond 64 bits/],
    ['{{"\\xff"}}', 1, /not UTF-8/],
    ["{{eq . .}}", 1, /compares texts, numbers and nil/],
  ];
  for (const [text, line, message] of cases)
    it(`is refused with the line: ${JSON.stringify(text)}`, () => {
      const error = refusal(text);
      assert.match(error.message, message);
      assert(error.message.startsWith(`${FILE}:${line}:`), error.message);
    });

  it("are the methods of times", () => {
    const [event] = EVENTS.filter(({ name }) => name === "CertificateExpiringSoon").map(({ event }) => event);
    assert.match(refusal("{{.Meta.ExpiresAt.Unix}}", event).message, /call no methods/);
  });

  it("is told at parse time, whatever the event", () => {
    assert.throws(() => parseTemplate(FILE, "{{if false}}{{template `x`}}{{end}}"), {
      code: "template-invalid",
    });
  });
});

describe("an error of a template", () => {
  it("names the member that an event does not have, and those that it has", () => {
    const error = refusal("{{.Type}}\n {{.Meta.Reason}}");
    assert.equal(error.code, "template-failed");
    assert.equal(
      error.message,
      `${FILE}:2:4: .Reason is not a member of EventKeyFailureMeta, which has Message, OriginatingRequest, Path, Origin, Key`,
    );
  });
});

describe("a template that is checked", () => {
  const text = '{\n{{if eq .Type "VersionFailure"}}{{.Meta.Reason}}{{else}}\n {{.Meta.Path}}{{end}}';

  it("has each member told that an event of its types does not have, with the place", () => {
    assert.deepEqual(
      templateProblems(FILE, text, ["VersionFailure", "AuthFailure", "OAuth2ExchangeFailed"]),
      [],
    );
    const [problem, ...others] = templateProblems(FILE, text, [
      "AuthFailure",
      "TokenCreated",
      "TokenDeleted",
    ]);
    assert.deepEqual(others, []);
    assert.deepEqual([problem?.line, problem?.column], [3, 4]);
    assert.match(problem?.message ?? "", /for an event Token\w+: \.Path is not a member of EventTokenMeta/);
  });

  it("has its first mistake told, whatever the types", () => {
    assert.deepEqual(templateProblems(FILE, "a\n{{if}}", ["AuthFailure"]), [
      { line: 2, column: 5, message: "if has no value: name one, such as .Type" },
    ]);
    assert.equal(templateProblems(FILE, "x".repeat(MAX_TEMPLATE_BYTES + 1), [])[0]?.line, 1);
  });

  it("is not blamed for what only empty members bring about", () => {
    const fragile = "{{index .Meta.HostInfo.Commands 0}}";
    assert.deepEqual(templateProblems(FILE, fragile, ["HostDown"]), []);
  });
});

describe("a template that would not end", () => {
  const big: GatewayEvent = {
    Type: "MyPlugin",
    Meta: {
      s: "x".repeat(100_000),
      n: Array(1000).fill(1),
      k: { [`\ud83d\ude00${"k".repeat(400_000)}`]: 1 },
    },
    TimeStamp: "",
  };
  const cases: [name: string, text: string, message: RegExp][] = [
    ["prints megabytes", "{{range 1000}}{{$.Meta.s}}{{end}}", /more than 1048576 bytes/],
    ["counts for ever", "{{range 1000000000000}}{{end}}", /more than 500000 steps/],
    ["counts in counts", "{{range .Meta.n}}{{range $.Meta.n}}{{end}}{{end}}", /more than 500000 steps/],
    [
      "doubles a text",
      "{{$x := .Meta.s}}{{range 40}}{{$x = print $x $x}}{{end}}",
      /more than (4194304 characters|500000 steps)/,
    ],
    ["makes one long text", `{{len (print ${".Meta.s ".repeat(100)})}}`, /more than 4194304 characters/],
    [
      "compares long texts",
      "{{range 100000}}{{if lt $.Meta.s $.Meta.s}}{{end}}{{end}}",
      /more than 500000 steps/,
    ],
    [
      "looks into a long text that a map holds",
      '{{range 10000}}{{if index $.Meta "s" 0}}{{end}}{{end}}',
      /more than 500000 steps/,
    ],
    ["sorts long keys", "{{range 10000}}{{range $.Meta.k}}{{end}}{{end}}", /more than 500000 steps/],
    [
      "goes down many members",
      `{{range 100000}}{{if $.Meta${".a".repeat(50)}}}{{end}}{{end}}`,
      /more than 500000 steps/,
    ],
    [
      "looks behind many variables",
      `${Array.from({ length: 3000 }, (_, nth) => `{{$v${nth} := 1}}`).join("")}{{range 100000}}{{if $}}{{end}}{{end}}`,
      /more than 500000 steps/,
    ],
  ];
  for (const [name, text, message] of cases)
    it(`ends with an error that names the limit, if it ${name}`, () => {
      const error = refusal(text, big);
      assert.equal(error.code, "template-failed");
      assert.match(error.message, message);
    });

  it("is refused for its size, and for what stands too deep in it", () => {
    assert.match(refusal("x".repeat(MAX_TEMPLATE_BYTES + 1)).message, /more than 65536 bytes/);
    assert.match(refusal("{{if 1}}".repeat(101) + "{{end}}".repeat(101)).message, /more than 100 deep/);
    assert.match(refusal(`{{${"(".repeat(10_000)}1${")".repeat(10_000)}}}`).message, /more than 100 deep/);
  });

  it("is read in a time that grows with its size", () => {
    // Any of these would take minutes if it grew with the square.
    const long = (part: string) => part.repeat(60_000 / part.length);
    for (const text of [
      `${long(" ")}x{{- 1}}`,
      `{{- 1 -}}${long(" ")}x`,
      `{{${long(" ")}1}}`,
      `<a ${long("b ")}>`,
      `<a ${long(":")}>`,
      long("<a b='c'>"),
      long("< "),
      long("<!-- -->"),
      long("{{1}}"),
      `{{"${long("\\n")}"}}`,
      `{{${long("x")}}}`,
      `{{${long("1")}}}`,
      `{{.${long("x")}}}`,
      `{{print ${long("1 ")}}}`,
    ])
      orNull(() => made(text, EVENTS[0]?.event as GatewayEvent));
  });

  it("renders an event that is nested deep, or says so", () => {
    let deep: unknown = 1;
    for (let level = 0; level < 10_000; level += 1) deep = [deep];
    assert.match(refusal("{{.}}", { ...big, Meta: { deep } }).message, /more than 500 deep/);
  });
});

describe("any text", () => {
  it("is a template, or refused with a place in it", () => {
    const part = fc.constantFrom(
      "{{",
      "}}",
      ".Type",
      "if ",
      "end",
      "range ",
      "(",
      ")",
      "|",
      "<a",
      ">",
      '"',
      "$x",
      ":=",
      " ",
      "\n",
    );
    fc.assert(
      fc.property(fc.array(fc.oneof(part, fc.string({ unit: "binary", maxLength: 3 }))), (parts) => {
        const text = parts.join("").toWellFormed();
        const result = orNull(() => made(text, EVENTS[0]?.event as GatewayEvent));
        if (result !== null && !text.includes("{{") && !text.includes("<")) assert.equal(result, text);
      }),
      { numRuns: 500 },
    );
  });
});
