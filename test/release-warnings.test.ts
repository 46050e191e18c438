import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { readCandidate } from "../lib/releases/examine.ts";
import type { SourceFile } from "../lib/releases/sources.ts";

type Refs = [name: string, path: string][];

function api(id: string, events: Record<string, Refs>): SourceFile {
  const triggers = (refs: Refs) =>
    refs.map(([name, path]) => ({ handler_name: "eh_dynamic_handler", handler_meta: { name, path } }));
  const entries = Object.entries(events).map(([type, refs]) => [type, triggers(refs)]);
  const text = JSON.stringify({ api_id: id, event_handlers: { events: Object.fromEntries(entries) } });
  return { path: `apis/${id}.json`, text };
}
const script = (path: string, ...lines: string[]): SourceFile => ({
  path: `handlers/${path}`,
  text: lines.join("\n"),
});
const made = (name: string) => `var ${name} = new TykJS.TykEventHandlers.NewEventHandler({});`;

/** The only warning: its place, and words that it must say. */
function warns(files: SourceFile[], place: [file: string, line?: number], ...words: string[]) {
  const { warnings } = readCandidate(files);
  assert.deepEqual(
    warnings.map(({ file, line }) => (line ? [file, line] : [file])),
    [place],
    JSON.stringify(warnings),
  );
  for (const word of words)
    assert.ok(warnings[0]?.message.includes(word), `${warnings[0]?.message}: ${word}`);
}
const silent = (files: SourceFile[]) => assert.deepEqual(readCandidate(files).warnings, []);
const one = (...lines: string[]) => [
  api("a", { KeyExpired: [["h", "h.js"]] }),
  script("h.js", made("h"), ...lines),
];

describe("a warning", () => {
  it("tells which of two files with one handler name wins, and for which APIs", () => {
    const files = [
      api("a", { KeyExpired: [["h", "a.js"]] }),
      api("b", { KeyExpired: [["h", "b.js"]] }),
      script("a.js", made("h")),
      script("b.js", "", made("h")),
    ];
    warns(
      files,
      ["handlers/b.js", 2],
      "handlers/a.js:1",
      "loaded last",
      "API a (apis/a.json)",
      "API b (apis/b.json)",
    );
  });

  it("tells of a handler that no definition names, and of files that are not loaded", () => {
    warns(one(made("spare")), ["handlers/h.js", 2], "spare", "never runs");
    warns([...one(), script("old.js", "")], ["handlers/old.js"], "not loaded");
    warns([...one(), { path: "apis/deep/x.json", text: "{}" }], ["apis/deep/x.json"], "apis/ itself");
  });

  it("tells of an event type that no gateway has, with the nearest that is one", () => {
    for (const [written, meant] of [
      ["RateLimitExceeded", "RatelimitExceeded"],
      ["keyexpired", "KeyExpired"],
      ["QuotaExeeded", "QuotaExceeded"],
    ] as const)
      warns(
        [api("a", { [written]: [["h", "h.js"]] }), script("h.js", made("h"))],
        ["apis/a.json"],
        written,
        meant,
      );
    warns(
      [api("a", { Whatever: [["h", "h.js"]] }), script("h.js", made("h"))],
      ["apis/a.json"],
      "wait for ever",
    );
  });

  it("tells where the handlers of the gateway's own events belong, and those of an API's", () => {
    warns(
      [api("a", { TokenCreated: [["h", "h.js"]] }), script("h.js", made("h"))],
      ["apis/a.json"],
      "gateway.json",
    );
    const gateway = { ...api("gateway", { KeyExpired: [["h", "h.js"]] }), path: "gateway.json" };
    warns([...one(), gateway], ["gateway.json"], "that API's definition");
  });

  it("tells of strict mode where the gateway's engine passes over it", () => {
    warns(one('"use strict";', "  count = 1;"), ["handlers/h.js", 3], "count", "var count");
    warns(
      one("(function () { 'use strict'; arguments.callee(); })();"),
      ["handlers/h.js", 2],
      "arguments.callee",
    );
    silent(one('"use strict";', "var count; count = 1;", "function f(x, y) { y = 2; }", "ns.count = 3;"));
    silent(one("count = 1; // not strict: 'use strict';"));
  });

  it("tells of Go's regular expressions in texts, which fail only when an event runs", () => {
    warns(one('new RegExp("(?i)key");'), ["handlers/h.js", 2], "second argument");
    warns(one("RegExp('(?P<name>x)');"), ["handlers/h.js", 2], "(?<name>");
    silent(one('new RegExp("key", "i");', "/(?:x)/.test('(?i)');"));
  });

  it("is not given for what stands in comments and texts", () => {
    silent(
      one(
        `// ${made("other")}`,
        `/* ${made("other")} */`,
        `var text = '${made("other")}';`,
        "var r = /[/'\"]/;",
      ),
    );
  });
});
