import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { fromRequestUri } from "../../lib/egress/url.ts";
import { outline } from "../../lib/go/json.ts";
import { decodeUtf8, encodeForm, isBefore, quote, sortedByBytes } from "../../lib/go/text.ts";
import { formatUnit } from "../../lib/tyk-api/http-answer.ts";

const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** As decodeUtf8, in the simplest way: the one sequence that begins here, or else one U+FFFD for one byte. */
function decodeSlowly(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.length; ) {
    const character = [1, 2, 3, 4]
      .map((length) => bytes.subarray(at, at + length))
      .find((part) => {
        try {
          return [...strict.decode(part)].length === 1;
        } catch {
          return false;
        }
      });
    text += character ? strict.decode(character) : "\ufffd";
    at += character?.length ?? 1;
  }
  return text;
}

/** Bytes of which many begin or go on with a UTF-8 sequence, well-formed or nearly. */
const oddByte = fc.oneof(
  fc.constantFrom(0x41, 0xc1, 0xc2, 0xdf, 0xe0, 0xe2, 0xed, 0xef, 0xf0, 0xf4, 0xf5),
  fc.constantFrom(0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf),
  fc.integer({ min: 0, max: 255 }),
);
const oddBytes = fc
  .array(
    fc.oneof(
      oddByte.map((byte) => [byte]),
      fc.string({ unit: "binary" }).map((text) => [...Buffer.from(text)]),
    ),
  )
  .map((parts) => Uint8Array.from(parts.flat()));
const oddText = fc.oneof(
  fc.string({ unit: "binary" }),
  fc
    .array(fc.constantFrom(..."<>&\u2028\u2029\ufffd€ +%~!'()*\"\\\n\0aé", "\ud800", "😀"))
    .map((all) => all.join("")),
);

test("of what is not UTF-8, each byte is one U+FFFD", () => {
  fc.assert(
    fc.property(oddBytes, (bytes) => {
      assert.equal(decodeUtf8(bytes), decodeSlowly(bytes));
    }),
    { numRuns: 2_000 },
  );
});

test("names stand in the order of their bytes", () => {
  const unit = fc.constantFrom(..."aB1é\ud7ff\ue000\uffff😀", "\u{10ffff}", "\ud83d", "\ude00");
  const name = fc.array(unit, { maxLength: 4 }).map((all) => all.join(""));
  fc.assert(
    fc.property(name, name, (one, other) => {
      const order = Buffer.compare(Buffer.from(one), Buffer.from(other));
      // Of those that are not well formed, different ones may have the same bytes; then either may stand first.
      if (order !== 0 || one === other) assert.equal(isBefore(one, other), order < 0);
      if (order < 0) assert.deepEqual(sortedByBytes([other, one]), [one, other]);
    }),
    { numRuns: 5_000 },
  );
});

test("a quoted text is JSON of the same text, without what HTML and JavaScript would trip over", () => {
  fc.assert(
    fc.property(oddText, (text) => {
      assert.equal(JSON.parse(quote(text)), text);
      assert.doesNotMatch(quote(text), /[<>&\u2028\u2029\ufffd]/);
    }),
  );
});

test("a form is sorted by bytes, and decodes to what it was made of", () => {
  fc.assert(
    fc.property(fc.dictionary(oddText, oddText), (form) => {
      const encoded = encodeForm(form);
      assert.match(encoded, /^[\w\-.~%+=&]*$/);
      const names =
        encoded === ""
          ? []
          : encoded
              .split("&")
              .map((pair) => Buffer.from(decodeURIComponent(pair.split("=")[0]?.replaceAll("+", " ") ?? "")));
      assert.deepEqual(names, names.toSorted(Buffer.compare));
      assert.deepEqual(
        [...new URLSearchParams(encoded)].toSorted(),
        Object.entries(form)
          .map((pair) => pair.map((part) => part.toWellFormed()))
          .toSorted(),
      );
    }),
  );
});

test("a path that has to be encoded is decoded and encoded again, and stays what it says", () => {
  const part = fc.oneof(oddText, fc.constantFrom("%41", "%2f", "%c3%A9", "%25"));
  fc.assert(
    fc.property(fc.array(part), (parts) => {
      // biome-ignore lint/suspicious/noControlCharactersInRegex: these are refused
      const path = `/${parts.join("").replace(/[\0-\x1f\x7f?#]|%(?![\da-f]{2})/gi, "")}`.toWellFormed();
      const escaped = fromRequestUri(`http://a.test${path}`).slice("http://a.test".length);
      assert.match(escaped, /^[\w\-.~$&+,/:;=@!'()*[\]%]*$/);
      const bytesOf = (text: string) => unescape(Buffer.from(text).toString("latin1"));
      assert.equal(bytesOf(escaped), bytesOf(path));
    }),
  );
});

test("an answer's body is the same in parts as in one, wherever a part ends", async () => {
  const pause = async () => {};
  const lead = 32 * 1024;
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: -6, max: 2 }), oddBytes, oddBytes, async (shift, end, rest) => {
      const body = Buffer.concat([Buffer.alloc(lead + shift, "a"), end, Buffer.alloc(lead - 8, "é"), rest]);
      const unit = await formatUnit("u", { status: 200, headers: {}, body, url: "u" }, pause);
      assert.equal(unit, `{"relative_url":"u","code":200,"headers":{},"body":${quote(decodeUtf8(body))}}`);
    }),
    { numRuns: 200 },
  );
});

test("a JSON text has no more values than are counted, and its lists as many elements", () => {
  const countValues = (value: unknown): number =>
    1 +
    (value && typeof value === "object"
      ? Object.values(value).reduce((sum: number, each) => sum + countValues(each), 0)
      : 0);
  fc.assert(
    fc.property(fc.jsonValue({ stringUnit: "binary" }), fc.array(fc.jsonValue()), (other, list) => {
      for (const text of [
        JSON.stringify({ other: { other }, list }),
        JSON.stringify({ list, other: { other } }, null, 1),
      ]) {
        const { values, elements } = outline(text);
        assert.ok(values >= countValues(JSON.parse(text)));
        assert.equal(elements, Math.max(1, list.length));
      }
    }),
  );
});
