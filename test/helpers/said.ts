import assert from "node:assert/strict";
import type { ChildProcess } from "node:child_process";
import { after } from "node:test";

/**
 * Waits for the output of a process. Fails if the process ends without it. The process is killed after the test, since
 * it would otherwise keep the tests from ending.
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
