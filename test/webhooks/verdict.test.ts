import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import {
  ANSWER_BYTES,
  answerText,
  DELAYS,
  MAX_DELAY_SECONDS,
  retryAfterSeconds,
  retryDelay,
  verdictOf,
} from "../../lib/webhooks/verdict.ts";

const NOW = Date.parse("2026-11-30T10:00:00Z");

describe("what an answer means", () => {
  const kinds: [status: number, kind: string][] = [
    [200, "done"],
    [204, "done"],
    [299, "done"],
    [410, "gone"],
    ...[300, 301, 307, 400, 401, 403, 404, 408, 409, 413, 422, 429, 500, 502, 503, 504, 599, 100, 600].map(
      (status): [number, string] => [status, "retry"],
    ),
  ];
  for (const [status, kind] of kinds)
    it(`${status} is ${kind}`, () => assert.equal(verdictOf({ status }, NOW).kind, kind));

  it("names the status, and that a redirect is not followed", () => {
    assert.deepEqual(verdictOf({ status: 404 }, NOW), { kind: "retry", reason: "the target answered 404" });
    assert.match((verdictOf({ status: 302 }, NOW) as { reason: string }).reason, /302.*not followed/);
  });

  it("without an answer is another attempt", () => {
    assert.deepEqual(verdictOf({ failure: "no answer in 10 s" }, NOW), {
      kind: "retry",
      reason: "no answer in 10 s",
    });
  });

  it("hears Retry-After of 429 and 5xx alone", () => {
    const asked = (status: number) =>
      (verdictOf({ status, retryAfter: "90" }, NOW) as { retryAfter?: number }).retryAfter;
    assert.deepEqual([429, 500, 503, 400, 404, 301].map(asked), [
      90,
      90,
      90,
      undefined,
      undefined,
      undefined,
    ]);
  });
});

describe("Retry-After", () => {
  const cases: [header: string | undefined, seconds: number | undefined][] = [
    ["0", 0],
    ["120", 120],
    [" 120 ", 120],
    ["999999999999999999999", MAX_DELAY_SECONDS],
    ["Mon, 30 Nov 2026 10:01:30 GMT", 90],
    ["Mon, 30 Nov 2026 09:00:00 GMT", 0],
    ["Tue, 30 Nov 2027 10:00:00 GMT", MAX_DELAY_SECONDS],
    ["Mon, 99 Nov 2026 10:01:30 GMT", undefined],
    ["-1", undefined],
    ["1.5", undefined],
    ["soon", undefined],
    ["2026-11-30", undefined],
    ["", undefined],
    [undefined, undefined],
  ];
  for (const [header, seconds] of cases)
    it(`${JSON.stringify(header)} is ${seconds}`, () =>
      assert.equal(retryAfterSeconds(header, NOW), seconds));

  it("of any text is a number of seconds within the longest delay, or nothing", () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.date({ noInvalidDate: true }).map((date) => date.toUTCString()),
        ),
        (text) => {
          const seconds = retryAfterSeconds(text, NOW);
          assert(
            seconds === undefined ||
              (Number.isInteger(seconds) && seconds >= 0 && seconds <= MAX_DELAY_SECONDS),
          );
        },
      ),
    );
  });
});

describe("the delay before the next attempt", () => {
  const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
  const attempts = fc.integer({ min: 1, max: DELAYS.length });

  it("grows from seconds to half a day, over more than a day in all", () => {
    assert.deepEqual(
      DELAYS,
      DELAYS.toSorted((a, b) => a - b),
    );
    assert.equal(DELAYS.at(-1), MAX_DELAY_SECONDS);
    assert(DELAYS.reduce((sum, delay) => sum + delay) > 86_400);
  });

  it("is anywhere up to the longest of its attempt, a second at least", () => {
    fc.assert(
      fc.property(attempts, random, (attempt, at) => {
        const delay = retryDelay(attempt, at) ?? 0;
        assert(Number.isInteger(delay) && delay >= 1 && delay <= (DELAYS[attempt - 1] ?? 0), String(delay));
      }),
    );
    assert.equal(retryDelay(5, 0), 900);
    assert.equal(retryDelay(5, 0.5), 1_350);
    assert.equal(retryDelay(5, 1), 1_800);
  });

  it("is what the target asks for at least, and a tenth more at most, where that is longer", () => {
    fc.assert(
      fc.property(attempts, random, fc.integer({ min: 0, max: MAX_DELAY_SECONDS }), (attempt, at, asked) => {
        const delay = retryDelay(attempt, at, asked) ?? 0;
        assert(delay >= asked && delay <= MAX_DELAY_SECONDS, String(delay));
        assert(delay <= Math.max(Math.ceil(asked * 1.1), DELAYS[attempt - 1] ?? 0, 1), String(delay));
      }),
    );
  });

  it("ends after the last attempt, whatever the target asks for", () => {
    assert.equal(retryDelay(DELAYS.length + 1, 0.5, 60), undefined);
  });
});

describe("the answer in a dead letter", () => {
  it("is text, with its lines", () => {
    assert.equal(answerText(Buffer.from("a\r\nb\tc é 😀")), "a\nb\tc é 😀");
  });

  it("steers no terminal, and has no character that a queue refuses", () => {
    assert.equal(
      answerText(Buffer.from("\u001b[31mred\u0000\u202e\ufeffx\ufffe\u2028\u007f\u009b")),
      "�[31mred���x����",
    );
  });

  it("is a kilobyte at most, and not cut within a character", () => {
    assert.equal(answerText(Buffer.from("é".repeat(2000))), "é".repeat(ANSWER_BYTES / 2));
    assert.equal(answerText(Buffer.from(`a${"é".repeat(2000)}`)), `a${"é".repeat(ANSWER_BYTES / 2 - 1)}`);
  });

  it("is printable whatever the bytes are", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 3000 }), (bytes) => {
        const text = answerText(bytes);
        assert(!/[\p{C}]/u.test(text.replace(/[\n\t]/g, "")), JSON.stringify(text));
      }),
    );
  });
});
