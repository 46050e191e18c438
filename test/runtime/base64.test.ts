import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { decodeBase64, encodeBase64 } from "../../lib/runtime/worker/jsvm/base64.ts";

test("any text is encoded as its UTF-8 bytes, and comes back", () => {
  fc.assert(
    fc.property(fc.string({ unit: "grapheme" }), (text) => {
      assert.equal(encodeBase64(text, true), Buffer.from(text).toString("base64"));
      assert.equal(decodeBase64(encodeBase64(text, true), true), text);
      assert.equal(decodeBase64(encodeBase64(text, false), false), text);
    }),
  );
});

test("any bytes survive decoding and encoding again, whole and in two parts", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), fc.uint8Array({ maxLength: 64 }), (one, two) => {
      const decoded = [one, two].map(
        (bytes) => decodeBase64(Buffer.from(bytes).toString("base64"), true) ?? "",
      );
      assert.equal(encodeBase64(decoded[0] ?? "", true), Buffer.from(one).toString("base64"));
      // Two halves of one character may meet; then they are that character, whose bytes are the same.
      const joined = Buffer.from(encodeBase64(decoded.join(""), true), "base64");
      assert.deepEqual(joined, Buffer.concat([one, two]));
    }),
  );
});

test("any input is decoded or refused, never thrown on, and refused when it has a character of no alphabet", () => {
  fc.assert(
    fc.property(fc.string(), fc.boolean(), (text, padded) => {
      const decoded = decodeBase64(text, padded);
      if (/[^A-Za-z0-9+/=\r\n]/.test(text)) assert.equal(decoded, undefined);
    }),
  );
});
