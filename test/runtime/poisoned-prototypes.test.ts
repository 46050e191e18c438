import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { loadAssets } from "../../lib/runtime/assets.ts";
import type { Isolation, Outcome } from "../../lib/runtime/protocol.ts";
import { startRuntime } from "../../lib/runtime/runtime.ts";

const assets = loadAssets();
const AMPLE_MS = 60_000;
const MODES: readonly Isolation[] = ["global", "event"];

/** What a script may leave in the way of whoever reads, writes or prints an object. */
const POISONS: Record<string, string> = {
  "setters for the elements of arrays": `for (var i = 0; i < 10; i += 1)
    Object.defineProperty(Array.prototype, i, { set: function () { throw 3; } });`,
  "accessors for the names that a run's end may have": `
    ["", "ok", "error", "engine", "name", "message", "stack", "code", "ms", "value", "above", "get", "set",
      "enumerable", "id", "text", "stop", "thrown", "rejected", "EventType", "EventMetaData"].forEach(function (name) {
      Object.defineProperty(Object.prototype, name, {
        __proto__: null, get: function () { throw 5; }, set: function () { throw 4; },
      });
    });`,
  "a toJSON for everything": `[Object, String, Number, Boolean, Array, Error].forEach(function (each) {
      each.prototype.toJSON = function () { return { ok: true }; };
    });`,
  "a prototype of promises that does nothing right": `
    Promise.prototype.then = function () { throw 1; };
    Promise.prototype.catch = Promise.prototype.finally = null;
    Object.defineProperty(Promise.prototype, "constructor", { get: function () { throw 2; } });
    Promise.resolve = Promise.reject = null;`,
  "a species for promises": `
    class Other extends Promise { static get [Symbol.species]() { return function () { throw 1; }; } }
    Promise.prototype.constructor = Other;`,
  "an iterator of arrays that never ends": `
    Array.prototype[Symbol.iterator] = function () { return { next: function () { return {}; } }; };`,
  "functions and errors without their own": `
    Function.prototype.call = Function.prototype.apply = Function.prototype.bind = null;
    Error.prototype.toString = Object.prototype.toString = Object.prototype.isPrototypeOf = null;
    Object.defineProperty(InternalError.prototype, "name", { get: function () { throw 6; } });`,
};

/** How a run ends that has taken the poison: what it says, and what becomes of it. */
const ENDS: [body: string, code: string, message?: string][] = [
  ["log('said'); console.log('a', 'b'); TykStorageSet('k', 'v', 1); TykSetKeyData('k', '{}', 1);", "ok"],
  ["return (async function () { log('said'); await null; })();", "ok"],
  ["log('said'); throw new RangeError('real');", "threw", "real"],
  [
    "return (async function () { log('said'); await null; throw new RangeError('real'); })();",
    "threw",
    "real",
  ],
  ["log('said'); for (var i = 0, list; ; i += 1) list = { list: list, k: 'v' + i };", "memory"],
  ["log('said'); (function f() { f(); })();", "stack"],
];

async function run(body: string, isolation: Isolation): Promise<{ outcome: Outcome; lines: string[] }> {
  const source = `var h = new TykJS.TykEventHandlers.NewEventHandler({}); h.NewHandler(function () { ${body} });`;
  const limits = { graceMs: AMPLE_MS };
  const runtime = await startRuntime([{ path: "h.js", source }], { assets, isolation, limits });
  const lines: string[] = [];
  try {
    const outcome = await runtime.run(
      { handler: "h", event: '{"Type":"T","Meta":{"Key":"k"}}', context: "{}", timeoutMs: AMPLE_MS },
      {
        call: async (name) => (name === "storage" ? '{"error":null,"value":null}' : undefined),
        log: (_level, line) => void lines.push(line),
      },
    );
    return { outcome, lines };
  } finally {
    await runtime.close();
  }
}

for (const isolation of MODES) {
  for (const [poison, code] of Object.entries(POISONS)) {
    describe(`${poison}, under ${isolation} isolation`, () => {
      for (const [body, expected, message] of ENDS) {
        test(`change no run's end: ${expected} after ${body}`, async () => {
          const { outcome, lines } = await run(`${code}\n${body}`, isolation);
          assert.equal(outcome.ok ? "ok" : outcome.code, expected, JSON.stringify(outcome));
          if (!outcome.ok && message) assert.equal(outcome.error.message, message);
          assert.deepEqual(lines.slice(0, 2), ["Calling built - in handle", "said"]);
        });
      }
    });
  }
}
