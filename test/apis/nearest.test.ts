import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { createNearest } from "../../lib/apis/nearest.ts";

/** By the book, every cell. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const change = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(change, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}

const word = fc.string({ unit: fc.constantFrom("a", "b", "c"), minLength: 1, maxLength: 14 });

describe("the nearest candidate", () => {
  it("is one of those that take the fewest changes, at most a quarter of the letters", () => {
    fc.assert(
      fc.property(word, fc.array(word, { maxLength: 8 }), (written, candidates) => {
        const least = Math.min(...candidates.map((candidate) => distance(written, candidate)));
        const found = createNearest(candidates)(written);
        if (least > Math.max(1, Math.floor(written.length / 4))) assert.equal(found, undefined);
        else assert.equal(found !== undefined && distance(written, found), least);
      }),
    );
  });

  it("may be written in another case, or with other code points", () => {
    const nearest = createNearest(["Quota.js", "gro\u0308\u00dfe.js"]);
    assert.equal(nearest("quota.js"), "Quota.js");
    assert.equal(nearest("gr\u00f6\u00dfe.js"), "gro\u0308\u00dfe.js");
  });

  it("is looked for as long as the allowance lasts, however many ask", () => {
    const long = (index: number, end: string) => `${"teams/payments/".repeat(14)}quota-${index}-${end}.js`;
    const nearest = createNearest(Array.from({ length: 2_000 }, (_, index) => long(index, "v1")));
    const allowance = { steps: 1_000_000 };
    const found = Array.from({ length: 2_000 }, (_, index) => nearest(long(index, "v2"), allowance));
    assert.equal(found[0], long(0, "v1"));
    assert.equal(found.at(-1), undefined);
    // What is begun is ended: one row of the longest.
    assert.ok(allowance.steps <= 0 && allowance.steps > -256, String(allowance.steps));
  });
});
