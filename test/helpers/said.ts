import assert from "node:assert/strict";
import type { ChildProcess } from "node:child_process";
import { after } from "node:test";

/**
 * What a process says from now on, once it is said. Fails when the process ends without it. A test that failed does not
 * leave its process behind, which would keep the tests from ending.
 */
export function reader(child: ChildProcess) {
  after(() => child.kill());
  let said = "";
  let isOver = false;
  let heard = () => {};
  child.once("close", () => {
    isOver = true;
    heard();
  });
  for (const stream of [child.stdout, child.stderr])
    stream?.on("data", (chunk) => {
      said += chunk;
      heard();
    });
  return async (words: RegExp) => {
    for (;;) {
      const found = words.exec(said);
      if (found) {
        said = said.slice(found.index + found[0].length);
        return found;
      }
      assert.ok(!isOver, `ended without saying ${words}:\n${said}`);
      await new Promise<void>((resolve) => {
        heard = resolve;
      });
    }
  };
}
