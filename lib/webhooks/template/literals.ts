import { isUtf8 } from "node:buffer";
import { Mistake } from "./mistake.ts";
import type { Token } from "./tokens.ts";

const MAX_INT = 2n ** 63n - 1n;

const DECIMAL = /^([+-]?)(0|[1-9](?:_?\d)*)$/;
const PREFIXED = /^([+-]?)(0[xX](?:_?[\da-fA-F])+|0[oO](?:_?[0-7])+|0[bB](?:_?[01])+)$/;
/** As in C, a leading zero marks an octal number. */
const OLD_OCTAL = /^([+-]?)0((?:_?[0-7])+)$/;
const FLOAT = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/;

/** A number's value: an integer unless a point or an exponent makes it a float64. */
export function numberOf({ text, at }: Token): bigint | number {
  const [, sign = "", digits] =
    DECIMAL.exec(text) ?? PREFIXED.exec(text) ?? octal(OLD_OCTAL.exec(text)) ?? ([] as string[]);
  if (digits !== undefined) {
    const size = BigInt(digits.replaceAll("_", ""));
    const value = sign === "-" ? -size : size;
    if (value > MAX_INT || value < -MAX_INT - 1n)
      throw new Mistake(at, `${text} is beyond 64 bits: no number of an event is that large`);
    return value;
  }
  const float = FLOAT.test(text) && /[.eE]/.test(text) ? Number(text) : Number.NaN;
  if (!Number.isFinite(float))
    throw new Mistake(
      at,
      `${text} is not a number that a template can have: write it as 12, 0x1f, 1.5 or 1e6`,
    );
  return float;
}

const octal = (match: RegExpExecArray | null) => match && [match[0], match[1] ?? "", `0o${match[2]}`];

const SIMPLE: Record<string, number> = {
  a: 7,
  b: 8,
  f: 12,
  n: 10,
  r: 13,
  t: 9,
  v: 11,
  "\\": 92,
  '"': 34,
};
const ESCAPE = /\\(?:([abfnrtv\\"])|([0-7]{3})|x([\da-fA-F]{2})|u([\da-fA-F]{4})|U([\da-fA-F]{8})|[\s\S])/gu;

/** The value of a string literal. Go also accepts bytes that are not UTF-8. */
export function stringOf({ kind, text, at }: Token): string {
  const inner = text.slice(1, -1);
  if (kind === "raw") return inner.replaceAll("\r", "");
  if (!inner.includes("\\")) return inner;
  const parts: Buffer[] = [];
  let from = 0;
  for (const match of inner.matchAll(ESCAPE)) {
    parts.push(Buffer.from(inner.slice(from, match.index)), escaped(match, at));
    from = match.index + match[0].length;
  }
  const bytes = Buffer.concat([...parts, Buffer.from(inner.slice(from))]);
  if (!isUtf8(bytes))
    throw new Mistake(at, "the string's escapes make bytes that are not UTF-8: write the text itself");
  return bytes.toString();
}

function escaped([written, simple, oct, hex, short, long]: RegExpMatchArray, at: number): Buffer {
  if (simple !== undefined) return Buffer.from([SIMPLE[simple] ?? 0]);
  const byte =
    oct !== undefined ? Number.parseInt(oct, 8) : hex !== undefined ? Number.parseInt(hex, 16) : undefined;
  if (byte !== undefined && byte < 256) return Buffer.from([byte]);
  const code = Number.parseInt(short ?? long ?? "", 16);
  const isCharacter = code <= 0x10ffff && !(code >= 0xd800 && code <= 0xdfff);
  if (isCharacter) return Buffer.from(String.fromCodePoint(code));
  throw new Mistake(
    at,
    `a string cannot have ${written} in it: an escape is one of \\n, \\t, \\", \\\\, \\x41 and \\u00e9`,
  );
}
