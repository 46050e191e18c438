// The text of a definition before `attach`, after it, and after `detach`, however it is written.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { parseDefinitions } from "../../lib/apis/definition.ts";
import { editClassic } from "../../lib/attach/classic.ts";
import { attachOas, detachOas } from "../../lib/attach/oas.ts";
import { attached, detached } from "../../lib/attach/triggers.ts";
import { activeHandlers } from "../helpers/gateway-view.ts";

const TARGET = { url: "https://in.example", token: "t", template: "templates/full_event.json" };
const PLACE = { path: [], apiId: "a" };

const attachClassic = (text: string) => editClassic(text, PLACE, attached(TARGET, "a"));
const detachClassic = (text: string) => editClassic(text, PLACE, detached);

const script = fc.record({
  handler_name: fc.constant("eh_dynamic_handler"),
  handler_meta: fc.record(
    {
      name: fc.constantFrom("h", "ns.k", "größe"),
      path: fc.constantFrom("h.js", "./sub/k.js"),
      id: fc.string(),
      disabled: fc.boolean(),
    },
    { requiredKeys: ["name", "path"] },
  ),
});
const other = fc.oneof(
  fc.record({
    handler_name: fc.constant("eh_log_handler"),
    handler_meta: fc.record({ prefix: fc.string() }),
  }),
  fc.constant({
    handler_name: "eh_web_hook_handler",
    handler_meta: {
      method: "POST",
      target_path: "https://w",
      template_path: "t",
      header_map: {},
      event_timeout: 1,
    },
  }),
  fc.constant({}),
);
const events = fc.dictionary(
  fc.oneof(fc.constantFrom("KeyExpired", "AuthFailure", "constructor"), fc.string()),
  fc.array(fc.oneof(script, other), { maxLength: 4 }),
  { maxKeys: 4 },
);
const indent = fc.constantFrom(undefined, 2, 4, "\t");

const NUMBERS = "numbers stand here in the text";

/** With numbers that JavaScript would write in another way, before and after what is changed. */
const textOf = (event_handlers: unknown, space: string | number | undefined) =>
  JSON.stringify(
    { before: NUMBERS, api_id: "a", event_handlers, after: NUMBERS },
    undefined,
    space,
  ).replaceAll(`"${NUMBERS}"`, "[1.0, 1e3, 12345678901234567890]");

type Entries = Record<string, { handler_name?: string; handler_meta?: { disabled?: boolean } }[]>;
const entriesOf = (text: string) =>
  (JSON.parse(text) as { event_handlers: { events: Entries } }).event_handlers.events;
const runsScript = ({ handler_name, handler_meta }: Entries[string][number]) =>
  handler_name === "eh_dynamic_handler" && handler_meta?.disabled !== true;

describe("a classic definition", () => {
  it("comes back as it was; what is not an event handler is not touched", () => {
    fc.assert(
      fc.property(events, indent, (given, space) => {
        const text = textOf({ events: given }, space);
        const after = attachClassic(text);
        assert.equal(attachClassic(after), after);
        const [head, tail] = [
          text.slice(0, text.indexOf("event_handlers")),
          text.slice(text.lastIndexOf("after")),
        ];
        assert.ok(after.startsWith(head) && after.endsWith(tail));
        // Scripts of one type stand together then; the gateway starts all of a type at the same time anyway.
        for (const [type, entries] of Object.entries(entriesOf(detachClassic(after)))) {
          const before = entriesOf(text)[type] ?? [];
          assert.deepEqual(entries.filter(runsScript), before.filter(runsScript));
          assert.deepEqual(
            entries.filter((entry) => !runsScript(entry)),
            before.filter((entry) => !runsScript(entry)),
          );
        }
      }),
      { numRuns: 500 },
    );
  });

  it("comes back to the byte where the scripts of a type stand together", () => {
    const together = events.map((given) =>
      Object.fromEntries(
        Object.entries(given).map(([type, entries]) => [
          type,
          [...(entries as Entries[string])].sort((a, b) => Number(runsScript(b)) - Number(runsScript(a))),
        ]),
      ),
    );
    fc.assert(
      fc.property(together, indent, (given, space) => {
        const text = textOf({ events: given }, space);
        assert.equal(detachClassic(attachClassic(text)), text);
      }),
      { numRuns: 500 },
    );
  });

  it("has one webhook for each type that had a script, and gatehook runs from it what the gateway ran", () => {
    fc.assert(
      fc.property(events, (given) => {
        const text = textOf({ events: given }, 2);
        const after = attachClassic(text);
        const scripted = Object.entries(given).filter(([, entries]) =>
          (entries as Entries[string]).some(runsScript),
        );
        const sent = activeHandlers(after).filter(
          ({ webhook }) => webhook?.url === "https://in.example/events/a",
        );
        assert.deepEqual(
          sent.map(({ type }) => type),
          scripted.map(([type]) => type),
        );
        assert.ok(!activeHandlers(after).some(({ kind }) => kind === "script"));
        const handlersOf = (each: string) => parseDefinitions("a.json", each)[0]?.api?.handlers;
        assert.deepEqual(handlersOf(after), handlersOf(text));
      }),
      { numRuns: 500 },
    );
  });

  it("loses a webhook of the same address that was written by hand", () => {
    const byHand = {
      handler_name: "eh_web_hook_handler",
      handler_meta: { target_path: "https://in.example/events/a" },
    };
    const own = { handler_name: "eh_dynamic_handler", handler_meta: { name: "h", path: "h.js" } };
    const both = attachClassic(textOf({ events: { KeyExpired: [byHand, own] } }, 2));
    assert.equal(entriesOf(both).KeyExpired?.length, 1);
    const alone = textOf({ events: { KeyExpired: [byHand] } }, 2);
    assert.equal(attachClassic(alone), alone);
  });

  it("is patched in each member that the gateway merges, whatever the case of its name", () => {
    const list = (name: string) =>
      `{"EVENTS":{"KeyExpired":[{"Handler_Name":"eh_dynamic_handler","handler_meta":${name}}]}}`;
    const text = `{"api_id":"a","event_handlers":${list('{"Name":"h","PATH":"h.js"}')},"Event_Handlers":${list('{"name":"k","path":"k.js","DISABLED":true}')}}`;
    const after = attachClassic(text);
    assert.equal(after.match(/eh_web_hook_handler/g)?.length, 1);
    assert.match(after, /"gatehook":\[\{"Name":"h","PATH":"h\.js"\}\]/);
    assert.match(after, /"eh_dynamic_handler","handler_meta":\{"name":"k","path":"k\.js","DISABLED":true\}/);
  });

  it("takes over a handler that a hand has named in its webhook", () => {
    const gatehook = { name: "h", path: "h.js" };
    const byHand = {
      handler_name: "eh_web_hook_handler",
      handler_meta: { target_path: "https://old", gatehook },
    };
    const after = attachClassic(textOf({ events: { KeyExpired: [byHand] } }, 2));
    const [{ handler_meta } = { handler_meta: {} }] = entriesOf(after).KeyExpired ?? [];
    const { target_path, gatehook: carried } = handler_meta as Record<string, unknown>;
    assert.deepEqual([target_path, carried], ["https://in.example/events/a", [gatehook]]);
  });
});

describe("an OAS document", () => {
  const custom = fc.record({
    enabled: fc.boolean(),
    trigger: fc.constantFrom("KeyExpired", "AuthFailure"),
    type: fc.constant("custom"),
    functionName: fc.constantFrom("h", "k"),
    path: fc.constantFrom("h.js", "k.js"),
  });
  const log = fc.record({
    enabled: fc.boolean(),
    trigger: fc.constantFrom("KeyExpired", "AuthFailure"),
    type: fc.constant("log"),
    logPrefix: fc.string(),
  });
  const documentOf = (eventHandlers: object[], space: string | number | undefined) =>
    JSON.stringify(
      { openapi: "3.0.3", "x-tyk-api-gateway": { info: { id: "a" }, server: { eventHandlers } }, paths: {} },
      undefined,
      space,
    );
  const isScript = ({ type, enabled }: { type: string; enabled: boolean }) => type === "custom" && enabled;

  it("comes back as it was, and gatehook runs from it what the gateway ran", () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(custom, log), { maxLength: 5 }), indent, (given, space) => {
        const text = documentOf(given, space);
        const after = attachOas(text, PLACE, TARGET);
        assert.equal(attachOas(after, PLACE, TARGET), after);
        const back = JSON.parse(detachOas(after, PLACE));
        const found = back["x-tyk-api-gateway"].server.eventHandlers as typeof given;
        const sorted = (all: object[]) => all.map((each) => JSON.stringify(each)).sort();
        assert.deepEqual(sorted(found), sorted(given));
        assert.ok(!("x-gatehook" in back));
        const active = activeHandlers(after);
        assert.ok(!active.some(({ kind }) => kind === "script"));
        const types = new Set(given.filter(isScript).map(({ trigger }) => trigger));
        assert.equal(active.filter(({ kind }) => kind === "webhook").length, types.size);
        const handlersOf = (each: string) => parseDefinitions("a.json", each)[0]?.api?.handlers;
        assert.deepEqual(handlersOf(after), handlersOf(text));
      }),
      { numRuns: 500 },
    );
  });

  it("loses a webhook of the same address that was written by hand", () => {
    const byHand = {
      enabled: true,
      trigger: "KeyExpired",
      type: "webhook",
      name: "gatehook",
      url: "https://in.example/events/a",
    };
    const own = { enabled: true, trigger: "KeyExpired", type: "custom", functionName: "h", path: "h.js" };
    const both = attachOas(documentOf([byHand, own], 2), PLACE, TARGET);
    assert.equal(activeHandlers(both).length, 1);
    assert.equal(attachOas(both, PLACE, TARGET), both);
    const alone = documentOf([byHand], 2);
    assert.equal(attachOas(alone, PLACE, TARGET), alone);
  });

  it("comes back to the byte where the scripts of a type stand together", () => {
    for (const space of [undefined, 2, "\t"]) {
      const text = documentOf(
        [
          { enabled: true, trigger: "KeyExpired", type: "custom", functionName: "h", path: "h.js" },
          { enabled: true, trigger: "KeyExpired", type: "custom", functionName: "k", path: "k.js" },
        ],
        space,
      );
      const after = attachOas(text, PLACE, TARGET);
      assert.notEqual(after, text);
      assert.equal(detachOas(after, PLACE), text);
    }
  });
});
