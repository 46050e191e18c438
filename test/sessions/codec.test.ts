// Sessions are decoded in a quick way where that is enough. Here that way answers what the exact one does, to the last
// byte and the last error: `npm run soak:codec` for many more texts.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { AppError } from "../../lib/errors.ts";
import * as go from "../../lib/go/decode.ts";
import * as quick from "../../lib/go/quick.ts";
import type { Session } from "../../lib/sessions/session.ts";
import * as session from "../../lib/sessions/session.ts";
import { sessionShape } from "../../lib/sessions/shape.ts";
import * as whole from "../../lib/sessions/whole.ts";
import { anySession } from "../helpers/any-session.ts";
import * as exactly from "../helpers/exact-session.ts";
import { frozen } from "../helpers/frozen.ts";
import { sessionText } from "../helpers/session-texts.ts";

const TEXTS = Number(process.env.CODEC_TEXTS ?? 3_000);
const now = 1_787_396_400;
const codec = { ...session, ...whole };
const exact = { ...exactly };

type Outcome = { value: unknown } | { code: string; message: string; field: string | undefined };

/** What came of it; the text too, for the order of the members. */
function outcomeOf(work: () => unknown): Outcome & { text?: string } {
  try {
    const value = frozen(work());
    return { value, text: JSON.stringify(value) };
  } catch (thrown) {
    if (!(thrown instanceof AppError)) throw thrown;
    return { code: thrown.code, message: thrown.message, field: thrown.field };
  }
}

/** What both answer, or undefined where both refuse in the same words. */
function same<T>(mine: () => T, theirs: () => T): { mine: T; theirs: T } | undefined {
  const [one, other] = [outcomeOf(mine), outcomeOf(theirs)];
  assert.deepEqual(one, other);
  return "value" in one && "value" in other ? { mine: one.value as T, theirs: other.value as T } : undefined;
}

/** Of a session that was parsed, or read from a table; what one remembers of it, the next makes use of. */
function samePrint(mine: Session, theirs: Session): void {
  for (const name of ["showSession", "formatSession", "formatWhole", "wholeSession"] as const)
    same<unknown>(
      () => codec[name](mine),
      () => exact[name](theirs),
    );
}

function sameSets(mine: Session, theirs: Session): void {
  for (const suppressReset of [true, false]) {
    const options = { suppressReset, now, allowMasterKeys: suppressReset };
    const set = same(
      () => codec.applySet(mine, options),
      () => exact.applySet(theirs, options),
    );
    if (!set) continue;
    same(
      () => codec.formatSession(set.mine),
      () => exact.formatSession(set.theirs),
    );
  }
}

/** A script's text set over what a table holds. */
function sameSet(text: string, stored: Session): void {
  const options = { suppressReset: false, now, allowMasterKeys: true };
  const set = same(
    () => codec.applySet(codec.keepPassword(codec.parseSession(text), stored), options),
    () => exact.applySet(exact.keepPassword(exact.parseSession(text), stored), options),
  );
  if (!set) return;
  same(
    () => codec.keepUnknown(set.mine, stored),
    () => exact.keepUnknown(set.theirs, stored),
  );
}

function parsedOrNothing(text: string): Session | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? frozen(value as Session) : undefined;
  } catch {
    return undefined;
  }
}

describe("a session decoded in the quick way", () => {
  it(`is the exact one, for ${TEXTS} texts: value, order, print, set and error`, () => {
    fc.assert(
      fc.property(sessionText, (text) => {
        for (const name of ["parseSession", "parseWhole"] as const) {
          const parsed = same(
            () => codec[name](text),
            () => exact[name](text),
          );
          if (!parsed) continue;
          samePrint(parsed.mine, parsed.theirs);
          sameSets(parsed.mine, parsed.theirs);
        }
        const stored = parsedOrNothing(text);
        if (stored) samePrint(stored, stored);
      }),
      { numRuns: TEXTS },
    );
  });

  it("is the exact one where a script's text is set over a stored session", () => {
    fc.assert(
      fc.property(sessionText, sessionText, (text, other) => {
        const stored = parsedOrNothing(other);
        if (stored) sameSet(text, stored);
      }),
      { numRuns: TEXTS },
    );
  });

  it("is the exact one for a stored item that no JSON is", () => {
    const circle: Record<string, unknown> = {};
    circle.circle = circle;
    const items: unknown[] = [
      { tags: new Set(["a"]), alias: "x" },
      { meta_data: { bytes: new Uint8Array(2) } },
      { meta_data: { big: 1n, list: [undefined, -0], gone: undefined } },
      { rate: -0, expires: -0, meta_data: { zero: -0 } },
      { rate: Number.NaN },
      { smoothing: { enabled: true, threshold: -0 } },
      { expires: Number.POSITIVE_INFINITY },
      { new: { zero: -0, gone: undefined, at: new Date(0) } },
      Object.assign(Object.create(null), { rate: 1, meta_data: Object.create(null) }),
      Object.create({ rate: 1 }),
      { meta_data: circle },
      { tags: new Array(3), access_rights: { a: undefined, b: null } },
      [],
    ];
    for (const item of items) samePrint(item as Session, item as Session);
  });

  it("is decoded once: what a gateway prints needs no exact decoder, and no copy", () => {
    const decode = quick.usually(sessionShape(quick), () => assert.fail("the exact decoder was asked"));
    fc.assert(
      fc.property(anySession, (given) => {
        const printed = exact.formatSession(exact.parseSession(JSON.stringify(given)));
        const value = JSON.parse(printed);
        assert.equal(go.decodeValue(value, decode), value);
        assert.equal(session.normal(value), session.normal(value));
      }),
    );
  });
});

describe("a time", () => {
  it("is decoded as by the whole of its rule", () => {
    const digits = fc.string({ unit: fc.constantFrom(..."0159"), maxLength: 11 });
    const two = fc.constantFrom(
      "00",
      "01",
      "02",
      "04",
      "11",
      "12",
      "13",
      "23",
      "24",
      "28",
      "29",
      "30",
      "31",
      "59",
      "60",
    );
    const year = fc.constantFrom("0000", "0001", "1900", "2000", "2023", "2024", "9999");
    const zone = fc.constantFrom("Z", "+00:00", "-00:00", "+02:00", "-23:59", "+10:00", "+24:00", "");
    const mark = fc.constantFrom("", ".", ",");
    const parts = fc.tuple(year, two, two, two, two, two, mark, digits, zone);
    fc.assert(
      fc.property(parts, ([y, month, day, hour, minute, second, point, fraction, offset]) => {
        const text = `${y}-${month}-${day}T${hour}:${minute}:${second}${point}${fraction}${offset}`;
        const outcome = outcomeOf(
          () => session.parseSession(JSON.stringify({ date_created: text })).date_created ?? "",
        );
        assert.equal("value" in outcome ? outcome.value : undefined, timeByTheRule(text), text);
      }),
      { numRuns: 5_000 },
    );
  });
});

/** As Go prints it; undefined for what is no time. */
function timeByTheRule(text: string): string | undefined {
  const found =
    /^(\d{4}-\d\d-\d\d)T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:[.,](\d+))?(Z|[+-](?:[01]\d|2[0-3]):[0-5]\d)$/.exec(
      text,
    );
  const [, day = "", fraction = "", zone = ""] = found ?? [];
  const date = new Date(`${day}T00:00:00Z`);
  if (!found || Number.isNaN(date.getTime()) || !date.toISOString().startsWith(day)) return undefined;
  const nanoseconds = fraction.slice(0, 9).replace(/0+$/, "");
  const offset = ["+00:00", "-00:00"].includes(zone) ? "Z" : zone;
  const printed = `${text.slice(0, 19)}${nanoseconds && `.${nanoseconds}`}${offset}`;
  return printed === "0001-01-01T00:00:00Z" ? "" : printed;
}
