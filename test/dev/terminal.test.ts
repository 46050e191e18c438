// What gatehook dev says of failures, and the keys of a person at its terminal.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { EventEmitter, once } from "node:events";
import { rm } from "node:fs/promises";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { followKeys, type KeyInput, keysText } from "../../cli/dev/keys.ts";
import { type Dev, definition, handler, newFolder, startDev } from "../helpers/dev.ts";
import { reader } from "../helpers/said.ts";

const CLI = fileURLToPath(new URL("../../cli/gatehook.ts", import.meta.url));

describe("the terminal of gatehook dev", () => {
  let folder = "";
  let dev: Dev;
  let url = "";
  before(async () => {
    folder = await newFolder({
      "apis/shop.json": definition("shop", { KeyExpired: "fails", QuotaExceeded: "typed" }),
      "handlers/fails.js": handler("fails", "var plan;\nlog(plan.b);"),
      "handlers/typed.js": handler("typed", "log(1);"),
      "gatehook.json": JSON.stringify({
        settings: { MAX_ATTEMPTS: 2, RETRY_BASE_SECONDS: 1, RETRY_MAX_SECONDS: 1 },
      }),
    });
    dev = startDev(folder, "--no-demo");
    url = (await dev.says(/ready at (http:\S+)/))[1] ?? "";
  });
  after(async () => {
    await dev.end();
    await rm(folder, { recursive: true });
  });

  it("tells of a failure which event, the line that it comes from, the attempt, and when it comes again", async () => {
    const event = { Type: "KeyExpired", Meta: { Key: "k" } };
    await fetch(`${url}/events/shop`, { method: "POST", body: JSON.stringify({ id: "my-evt-1", event }) });
    const [, frame = ""] = await dev.says(
      / failed {6}fails \(handler-threw\), event my-evt-1: TypeError: cannot read property 'b' of undefined\n.*at <anonymous> \(fails\.js:4:\d+\)\n((?:.*\n){2})/,
    );
    assert.match(frame, /^ +4 \| log\(plan\.b\);\n +\| +\^\n$/);
    await dev.says(/ retry {7}my-evt-1: attempt 1 of 2 failed \(handler-threw\), next in about 1 s\n/);
    await dev.says(
      / dead letter {1}event my-evt-1 \(handler-threw\): TypeError: cannot read property 'b' of undefined\n/,
    );
    assert.doesNotMatch(dev.said(), /prelude\.js/);
  });

  it("takes no keys where there is no terminal", async () => {
    await dev.says(/(?:)/);
    assert.doesNotMatch(dev.said(), /Keys:/);
  });

  it("does what its keys say at a terminal, and ends as by Ctrl+C", async () => {
    // Fails for as long as the test lasts, so that its last attempt has the same outcome whenever a key asks.
    const folder = await newFolder({
      "apis/shop.json": definition("shop", { KeyExpired: "fails" }),
      "handlers/fails.js": handler("fails", "var plan;\nlog(plan.b);"),
      "gatehook.json": JSON.stringify({
        settings: { MAX_ATTEMPTS: 1_000, RETRY_BASE_SECONDS: 1, RETRY_MAX_SECONDS: 1 },
      }),
    });
    // Node makes no terminal of its own.
    const command = `stty cols 80; exec "${process.execPath}" "${CLI}" dev --port 0 --no-demo`;
    const made =
      process.platform === "darwin"
        ? ["-q", "/dev/null", "sh", "-c", command]
        : ["-qec", command, "/dev/null"];
    const child = spawn("script", made, { cwd: folder, stdio: ["pipe", "pipe", "inherit"] });
    const ended = once(child, "close");
    const says = reader(child);
    const [guide = ""] = await says(
      /\nSave a file[\s\S]*Keys: o open page {2}s send sample {2}r dry rerun {2}f failures {2}c clear {2}q quit/,
    );
    // The link must stay in one piece.
    for (const line of guide.split("\n").filter((line) => !line.includes("http:")))
      assert.ok(line.trimEnd().length <= 80, line);
    child.stdin.write("xs");
    await says(/failed +fails \(handler-threw\)/);
    // An attempt is recorded after the line that tells of it, and before its event comes again.
    await says(/attempt 2 of 1000 failed/);
    child.stdin.write("r");
    await says(/KeyExpired: same as recorded/);
    child.stdin.write("f");
    await says(/✗ failed +KeyExpired/);
    child.stdin.write("q");
    await ended;
    await rm(folder, { recursive: true });
  });

  it("does one after the other, tells what went wrong, and gives the terminal back", async () => {
    const did: string[] = [];
    const raw: boolean[] = [];
    const events = new EventEmitter();
    const input = Object.assign(events, {
      setRawMode: (mode: boolean) => raw.push(mode),
      resume() {},
      pause() {},
    }) as unknown as KeyInput;
    const first = Promise.withResolvers<void>();
    const wrong = Promise.withResolvers<void>();
    const keys = [
      { key: "a", does: "waits", press: () => first.promise.then(() => void did.push("a")) },
      { key: "b", does: "fails", press: () => Promise.reject(new Error("no")) },
    ];
    assert.equal(keysText(keys), "a waits  b fails");
    const end = followKeys(input, keys, {
      interrupt: () => did.push("interrupt"),
      onError(text) {
        did.push(text);
        wrong.resolve();
      },
    });
    events.emit("data", Buffer.from("bax"));
    events.emit("data", Buffer.from("b"));
    events.emit("data", Buffer.from("\u0003"));
    first.resolve();
    await wrong.promise;
    await new Promise(setImmediate);
    assert.deepEqual(did, ["interrupt", "b fails: no", "a", "b fails: no"]);
    end();
    assert.deepEqual([raw, events.listenerCount("data")], [[true, false], 0]);
  });
});
