// What stands before every command that writes to a stage.
import assert from "node:assert/strict";
import { PassThrough } from "node:stream";
import { describe, it } from "node:test";
import { stageGate } from "../../cli/stage/stage-gate.ts";
import type { Terminal } from "../../cli/terminal/confirm.ts";
import { UsageError } from "../../cli/terminal/usage.ts";

const doing = { verb: "deploy", place: { stack: "shop-prod", account: "123456789012", region: "eu-west-1" } };

/** A person who types this, and what was asked. */
function person(typed: string, isTTY = true): Terminal & { asked(): string } {
  const input = Object.assign(new PassThrough(), { isTTY });
  const output = new PassThrough();
  let asked = "";
  output.on("data", (chunk) => {
    asked += chunk;
  });
  input.write(`${typed}\n`);
  return { input, output, asked: () => asked };
}

describe("a command that writes to a stage", () => {
  it("asks with the stack, the account and the region, and takes only a yes", async () => {
    for (const [typed, said] of [
      ["y", true],
      ["yes", true],
      ["n", false],
      ["", false],
      ["maybe", false],
    ] as const) {
      const terminal = person(typed);
      const permitted = stageGate({ asks: true, yes: undefined }, "shop-prod", terminal);
      assert.equal(await permitted(doing), said, typed);
      assert.equal(terminal.asked(), "deploy shop-prod in account 123456789012, region eu-west-1? [y/N] ");
    }
  });

  it("does not ask with --yes, nor for a stage that is not asked for", async () => {
    for (const options of [
      { asks: true, yes: true },
      { asks: false, yes: undefined },
    ]) {
      const terminal = person("n", false);
      assert.equal(await stageGate(options, "shop-prod", terminal)(doing), true);
      assert.equal(terminal.asked(), "");
    }
  });

  it("is refused before anything is done where nobody can answer", () => {
    assert.throws(
      () => stageGate({ asks: true, yes: undefined }, "shop-prod", person("y", false)),
      UsageError,
    );
  });
});
