import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { fingerprintOf } from "../../lib/dead-letters/fingerprint.ts";

const patternOf = (error: string) => fingerprintOf(error).pattern;

describe("an error's fingerprint", () => {
  it("leaves out numbers, ids and quoted texts, and keeps the words", () => {
    for (const [error, pattern] of [
      [
        "TypeError: cannot read property 'expires' of undefined",
        "TypeError: cannot read property … of undefined",
      ],
      ["handler h ran longer than 5000 ms and was stopped", "handler h ran longer than … ms and was stopped"],
      [
        'api_id "demo" is in no definition of release 2cb42b8e28b3ddbe',
        "api_id … is in no definition of release …",
      ],
      ["Error: key 550e8400-e29b-41d4-a716-446655440000 is gone", "Error: key … is gone"],
      ["Error: 0xdeadbeef at 2026-01-02T03:04:05.678Z", "Error: … at …"],
      [
        "Error: GET https://plans.example/users/42?id=7 gave 503",
        "Error: GET https://plans.example/users/…?id=… gave …",
      ],
      ["Error: 127.0.0.1:8080 said 1.5e+21 of `a b` and “c d”", "Error: … said … of … and …"],
      ["Error: can't read 'a b', doesn't matter", "Error: can't read …, doesn't matter"],
      ["Error: a key of facade and deadbeefcafe", "Error: a key of facade and …"],
      ["Error: two\t\twords ", "Error: two words"],
      ["", ""],
    ] as const)
      assert.equal(patternOf(error), pattern);
  });

  it("names the place in a script, not in a native, in the event's own text or in the API around it", () => {
    const stack = (...frames: string[]) => fingerprintOf(["Error: no", ...frames].join("\n")).place;
    assert.equal(stack("    at deep (a/h.js:2:29)", "    at <anonymous> (h.js:3:70)"), "a/h.js:2:29");
    assert.equal(
      stack("    at <input>:1:2", "    at parse (native)", "    at <anonymous> (h.js:2:52)"),
      "h.js:2:52",
    );
    assert.equal(stack("    at storage (prelude.js:179:31)", "    at <anonymous> (h.js:2:55)"), "h.js:2:55");
    assert.equal(stack("    at storage (prelude.js:179:31)"), "prelude.js:179:31");
    assert.equal(stack("    at h.js:7:1"), "h.js:7:1");
    for (const none of ["", "at", "    at ", "    at parse (native)", "more text 7:1"])
      assert.equal(stack(none), "");
  });

  const word = fc.constantFrom("no", "plan", "for", "key", "(the", "one)", "Error:", "it's", "of/", "…", "é");
  const varying = fc.oneof(
    fc.nat(),
    fc.double({ min: 0, noNaN: true, noDefaultInfinity: true }),
    fc.uuid(),
    fc.stringMatching(/^[0-9a-f]{8,40}$/),
    fc.stringMatching(/^0x[0-9A-F]{1,16}$/),
    fc
      .date({ noInvalidDate: true, min: new Date("1970-01-01"), max: new Date("2999-01-01") })
      .map((date) => date.toISOString()),
    fc.string({ unit: "grapheme", maxLength: 20 }).map((text) => `"${text.replace(/["\n\r]/g, "")}"`),
    fc.string({ maxLength: 20 }).map((text) => `'${text.replace(/['\n\r]/g, "")}'`),
  );

  it("is the same whatever the numbers, ids and quoted texts are", () => {
    const parts = fc.array(
      fc.oneof(
        word.map((text) => ({ text })),
        fc.tuple(varying, varying),
      ),
      { maxLength: 12 },
    );
    fc.assert(
      fc.property(parts, (all) => {
        const [one, other] = [0, 1].map((side) =>
          all.map((part) => ("text" in part ? part.text : part[side])).join(" "),
        );
        assert.equal(patternOf(one ?? ""), patternOf(other ?? ""));
      }),
      { numRuns: 1_000 },
    );
  });

  it("is short whatever it is made of, and has one line", () => {
    const text = fc.oneof(
      fc.string({ unit: "binary", maxLength: 2_000 }),
      fc
        .tuple(
          fc.constantFrom("'", '"', "a", "1", "-", "(", " ", "at (", "\n at ", "`", "“", "a-"),
          fc.nat(200_000),
        )
        .map(([piece, times]) => piece.repeat(Math.ceil(times / piece.length))),
    );
    fc.assert(
      fc.property(text, text, (a, b) => {
        const { pattern, place } = fingerprintOf(a + b);
        assert.ok(pattern.length <= 201 && place.length <= 201);
        assert.doesNotMatch(pattern + place, /[\n\r]/);
      }),
    );
  });
});
