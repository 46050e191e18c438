import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import { loadAssets } from "../../lib/runtime/assets.ts";
import type { Isolation } from "../../lib/runtime/protocol.ts";
import { type Runtime, startRuntime } from "../../lib/runtime/runtime.ts";

const assets = loadAssets();
const NEW = "new TykJS.TykEventHandlers.NewEventHandler({})";

describe("a look at the global variables", () => {
  const runtimes: Runtime[] = [];
  after(() => Promise.all(runtimes.map((runtime) => runtime.close())));

  async function load(source: string, isolation: Isolation = "global"): Promise<Runtime> {
    const runtime = await startRuntime([{ path: "a.js", source }], { assets, isolation });
    runtimes.push(runtime);
    assert.deepEqual(runtime.faults, []);
    return runtime;
  }

  async function held(
    source: string,
    names: string[],
    declared: string[] = [],
  ): Promise<(number | undefined)[]> {
    const runtime = await load(source);
    const found = await runtime.look({ names, declared });
    return names.map((name) => found.get(name));
  }

  it("tells handlers from other values, and from nothing", async () => {
    const source = `var h = ${NEW}; var o = {}, n = 1, u, f = function () {}; var ns = { h: ${NEW}, o: o };`;
    const names = ["h", "ns.h", "ns.o", "o", "n", "u", "f", "log", "ns.x", "nothing", "nothing.h", "n.h"];
    assert.deepEqual(await held(source, names), [1, 2, 0, 0, 0, 0, 0, 0, 0, -1, -1, -1]);
  });

  it("gives one handler one number, by whatever name it is found", async () => {
    const source = `var h = ${NEW}; const also = h; globalThis.again = h; var other = ${NEW};`;
    const names = ["h", "also", "again", "globalThis.h", "other"];
    assert.deepEqual(await held(source, names, ["also"]), [1, 1, 1, 1, 2]);
  });

  it("finds what let, const and class declare where it is told of them, initialised or not", async () => {
    const source = `let a = ${NEW}; const b = { h: ${NEW} }; class C {} C.h = ${NEW};`;
    const names = ["a", "b.h", "C.h", "C", "later"];
    assert.deepEqual(await held(source, names, ["a", "b", "C", "later"]), [1, 2, 3, 0, -1]);
    assert.deepEqual(await held(source, ["a", "b.h"]), [-1, -1]);
  });

  it("evaluates nothing but names", async () => {
    const names = ["h = 1", "(h)", "h;", "", "h.", ".h", "h..h", "log('called')", "1", "`h`", "h//"];
    const runtime = await load(`var h = ${NEW};`);
    const found = await runtime.look({ names: [...names, "h"], declared: names });
    assert.deepEqual([...found.values()], [...names.map(() => -1), 1]);
  });

  it("calls no getter of the global object, and ends those of others", async () => {
    const logs: string[] = [];
    const source = `Object.defineProperty(globalThis, "g", { get: function () { log("called"); return ${NEW}; } });
var ns = { get h() { for (;;); } };`;
    const runtime = await startRuntime([{ path: "a.js", source }], {
      assets,
      log: (_, text) => logs.push(text),
    });
    runtimes.push(runtime);
    assert.deepEqual([...(await runtime.look({ names: ["g", "g.h"], declared: [] })).values()], [0, -1]);
    assert.deepEqual(logs, []);
    assert.equal((await runtime.look({ names: ["ns.h"], declared: [] })).size, 0);
    assert.deepEqual([...(await runtime.look({ names: ["ns"], declared: [] })).values()], [0]);
  });

  it("is not misled by what a script does to the language's own objects", async () => {
    const source = `var h = ${NEW};
Object.defineProperty(Array.prototype, "0", { set: function () { throw new Error("0"); } });
Array.prototype.toJSON = String.prototype.toJSON = function () { return "misled"; };
WeakMap.prototype.get = WeakMap.prototype.set = String.prototype.indexOf = String.prototype.slice = null;
Object.getOwnPropertyNames = Object.getOwnPropertyDescriptor = Object.hasOwn = JSON.parse = JSON.stringify = null;
Object.prototype.value = 1;
eval = null;`;
    const runtime = await load(source);
    assert.deepEqual(
      [...(await runtime.look({ names: ["h", "x", "h.h"], declared: [] })).values()],
      [1, -1, 0],
    );
    assert.equal((await runtime.look()).get("h"), 1);
  });

  it("finds every global variable by itself when no names are given", async () => {
    const runtime = await load(
      `globalThis["put " + "together"] = ${NEW}; var h = ${NEW}; let hidden = ${NEW};`,
    );
    const found = await runtime.look();
    assert.deepEqual([found.get("h"), found.has("log"), found.has("hidden")], [1, true, false]);
    assert.equal(found.get("put together"), -1);
  });

  it("looks at very many names, in their order", async () => {
    const names = ["h", ...Array.from({ length: 25_000 }, (_, nth) => `n${nth}`), "late", "h.x"];
    const found = await held(`var h = ${NEW}; const late = ${NEW};`, names, ["late"]);
    assert.deepEqual([found[0], found[12_345], ...found.slice(-2)], [1, -1, 2, 0]);
  });

  it("leaves nothing behind for the events of a snapshot", async () => {
    const source = `var h = ${NEW}; h.NewHandler(function () { log(typeof seen); }); var ns = { get x() { globalThis.seen = 1; } };`;
    const runtime = await load(source, "event");
    await runtime.look({ names: ["ns.x"], declared: [] });
    const logs: string[] = [];
    const run = { handler: "h", event: "{}", context: "{}", timeoutMs: 1_000 };
    await runtime.run(run, { call: async () => undefined, log: (_, text) => logs.push(text) });
    assert.equal(logs.at(-1), "undefined");
  });
});
