import assert from "node:assert/strict";
import test from "node:test";
import { createLogSender, createRunLog } from "../../lib/runtime/log-budget.ts";
import { DEFAULT_LIMITS, type Limits } from "../../lib/runtime/protocol.ts";

/** What is sent of 10,000 lines, and what is written of that. */
function flood(given: Partial<Limits>, line: string): { sent: number; written: string[] } {
  const limits = { ...DEFAULT_LIMITS, ...given };
  const written: string[] = [];
  const log = createRunLog(limits, (_level, message) => void written.push(message));
  let sent = 0;
  const send = createLogSender(limits, (level, message) => {
    sent += 1;
    log(level, message);
  });
  for (let nth = 0; nth < 10_000; nth += 1) send("info", line);
  return { sent, written };
}

test("of a flood, the main thread is sent what a run may log, and the line that breaks the limit", () => {
  for (const [limits, line, most, told] of [
    [{ logRunLines: 7 }, "line", 7, "handler-log-lines: 7 lines"],
    [{ logRunBytes: 100 }, "€€€", 11, "handler-log-bytes: 100 bytes"],
    [{ logRunBytes: 10, logLineChars: 3 }, "abc", 3, "handler-log-bytes: 10 bytes"],
  ] as const) {
    const { sent, written } = flood(limits, line);
    assert.equal(sent, most + 1);
    assert.deepEqual(written, [
      ...Array(most).fill(line),
      `${told} is what a run may log; the rest is dropped`,
    ]);
  }
});

test("a line of the host is cut, counts by what is left of it, and is dropped when nothing is", () => {
  const written: string[] = [];
  const limits = { ...DEFAULT_LIMITS, logLineChars: 4, logRunBytes: 10 };
  const log = createRunLog(limits, (level, message) => void written.push(`${level} ${message}`));
  for (let nth = 0; nth < 5; nth += 1) log("error", "too long");
  assert.deepEqual(written, [
    "error too ",
    "error too ",
    "warn handler-log-bytes: 10 bytes is what a run may log; the rest is dropped",
  ]);
});
