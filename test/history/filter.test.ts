import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import type { EventRow } from "../../lib/history/event-rows.ts";
import { FILTER_WORDS, filterText, parseFilter, type Term } from "../../lib/history/filter.ts";

const NOW = Date.parse("2026-12-24T12:00:00Z");
const ROW: EventRow = {
  id: "e1",
  api_id: "demo",
  org_id: "o1",
  type: "KeyExpired",
  key: "a key",
  source: "webhook",
  at: "2026-12-24T11:00:00.000Z",
  last_at: "2026-12-24T11:30:00.000Z",
  outcome: "failed",
  reason: "handler-threw",
  error: "TypeError: no",
  release: "2cb42b8e28b3ddbe",
  handlers: ["first", "second"],
  ms: 512.5,
  attempts: 2,
  next_at: "",
};

const matches = (text: string, row: Partial<EventRow> = {}, has: string[] = []) =>
  parseFilter(text, NOW).matches({ ...ROW, ...row }, (one) => has.includes(one));

describe("a filter", () => {
  for (const [text, fits] of [
    ["", true],
    ["  ", true],
    ["type:KeyExpired", true],
    ["type:keyexpired", false],
    ["type:KeyExpired api:demo org:o1 outcome:failed source:webhook", true],
    ["type:KeyExpired api:other", false],
    ["api:other api:demo", true],
    ["-api:other", true],
    ["-api:demo", false],
    ["-api:other -api:demo", false],
    ['key:"a key"', true],
    ["handler:second", true],
    ["-handler:second", false],
    ["release:2cb4", true],
    ["release:cb42", false],
    ["reason:handler-threw", true],
    ["since:1h", true],
    ["since:29m", false],
    ["since:2026-12-24", true],
    ["since:2026-12-24T11:30:00Z", true],
    ["since:2026-12-24T11:30:00.001", false],
    ["until:1h", true],
    ["until:2h", false],
    ["since:2h until:30m", true],
    ["took:>500ms", true],
    ["took:>0.6s", false],
    ["took:>500ms took:<1s", true],
    ["took:>500ms took:<0.5s", false],
    ["attempt:2", true],
    ["attempt:>1", true],
    ["attempt:>=3", false],
    ["-attempt:>=3", true],
    ['"Some Text"', true],
    ["word", false],
    ["-word", true],
    ['"some text" word', false],
    ['-"some text"', false],
  ] as const)
    it(`${text || "of nothing"} ${fits ? "fits" : "does not fit"}`, () => {
      assert.equal(matches(text, {}, ["some text"]), fits);
    });

  for (const [text, says] of [
    ["typ:x", /no word typ: did you mean type:\?.*api: org:/],
    ["http://x", /no word http/],
    ["type:", /type: has no value/],
    ["-", /- has no value/],
    ['""', /has no value/],
    ['type:"x', /quote/],
    ['type:"x"y', /quote/],
    ['x"y', /quote/],
    ["outcome:good", /good is not one of queued, done, failed/],
    ["source:x", /webhook/],
    ["since:yesterday", /time such as 30m/],
    ["since:2026-13-41", /time/],
    ["took:500", />500ms/],
    ["attempt:>x", /such as 1 or >2/],
    ["attempt:=>1", /such as/],
  ] as const)
    it(`${text} is refused`, () => {
      assert.throws(() => parseFilter(text, NOW), { code: "request-invalid", message: says });
    });

  it("of any text is read or refused with a word for it, and never another error", () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.string({ unit: fc.constantFrom(...'-a:" \\>1m') })), (text) => {
        try {
          parseFilter(text, NOW).matches(ROW, () => true);
        } catch (thrown) {
          assert.equal((thrown as { code?: string }).code, "request-invalid", text);
        }
      }),
      { numRuns: 2_000 },
    );
  });

  const VALUES: Partial<Record<string, fc.Arbitrary<string>>> = {
    outcome: fc.constantFrom("done", "failed", "handed-back", "refused"),
    source: fc.constantFrom("webhook", "queue", "again"),
    since: fc.constantFrom("1h", "2026-12-24", "10s"),
    until: fc.constantFrom("1h", "2026-12-24T01:02:03Z"),
    took: fc.constantFrom(">500ms", "<=1.5s", "2h"),
    attempt: fc.constantFrom("1", ">2", ">=10"),
  };
  const term = fc.constantFrom(...FILTER_WORDS, "text" as const).chain((word) =>
    fc.record({
      word: fc.constant(word),
      value: VALUES[word] ?? fc.string({ minLength: 1 }),
      not: fc.boolean(),
    }),
  ) as fc.Arbitrary<Term>;

  it("is the same when it is written and read again, whatever its values are", () => {
    fc.assert(
      fc.property(fc.array(term, { maxLength: 5 }), (terms) => {
        assert.deepEqual(
          parseFilter(filterText(terms), NOW).terms,
          terms.map((one) => ({ ...one })),
        );
      }),
      { numRuns: 1_000 },
    );
  });

  it("with a - before it fits exactly what it does not fit without", () => {
    const row = fc.record({
      type: fc.constantFrom("a", "b"),
      key: fc.constantFrom("", "k"),
      outcome: fc.constantFrom("done" as const, "failed" as const),
      ms: fc.double({ min: 0, max: 1_000, noNaN: true }),
      attempts: fc.integer({ min: 0, max: 4 }),
    });
    fc.assert(
      fc.property(term, row, fc.boolean(), (one, values, has) => {
        const ask = (not: boolean) =>
          parseFilter(filterText([{ ...one, not }]), NOW).matches({ ...ROW, ...values }, () => has);
        assert.notEqual(ask(true), ask(false));
      }),
    );
  });
});
