/** Texts of sessions: as gateways and scripts write them, and in all unusual forms that JSON allows or people write. */
import fc from "fast-check";
import { anySession, MEMBERS } from "./any-session.ts";

const NAMES = Object.keys(MEMBERS) as (keyof typeof MEMBERS)[];

const oddString = fc.constantFrom(
  ...['""', '"a"', '"<b>&"', '"\\u003c"', '"\\u2028\u2029"', '"\u{1f600}"', '"\\ud83d\\ude00"', '"\\ud800"'],
  ...[
    '"\\udc00x"',
    '"\ufffd"',
    '"10"',
    '"9"',
    '"__proto__"',
    '"\u00e9"',
    '"\\u0000\\b"',
    '"constructor"',
    '"\\/"',
  ],
);
const oddNumber = fc.constantFrom(
  ...["0", "-0", "1.0", "1e3", "1E-2", "1.50", "-1", "9007199254740992", "9007199254740993", "1e400", "1e21"],
  ...["1e+21", "0.1", "5e-7", "1e-130", "-9223372036854775808"],
);
const oddTime = fc.constantFrom(
  ...['"2026-08-01T10:00:00Z"', '"2026-08-01T10:00:00.120Z"', '"2026-08-01T10:00:00,5Z"', '"x"', '""'],
  ...['"0001-01-01T00:00:00Z"', '"0001-01-01T00:00:00.000+00:00"', '"2026-02-30T10:00:00Z"'],
  ...['"2026-08-01T10:00:00.1234567899+02:00"', '"2024-02-29T23:59:59-00:00"', '"2026-13-01T10:00:00Z"'],
);
const space = fc.constantFrom("", "", "", " ", "\n\t");

/** JSON of any kind, usually in a form that no printer writes. */
const { json } = fc.letrec<{ json: string }>((tie) => ({
  json: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    fc.oneof(oddString, oddNumber, oddTime, fc.constantFrom("null", "true", "false", "{}", "[]")),
    fc
      .tuple(space, fc.array(tie("json"), { maxLength: 3 }))
      .map(([gap, items]) => `[${items.join(`,${gap}`)}]`),
    fc
      .array(fc.tuple(oddString, tie("json")), { maxLength: 4 })
      .map((members) => `{${members.map((member) => member.join(":")).join()}}`),
  ),
}));

const usualMember = fc.oneof(
  ...NAMES.map((name) =>
    (MEMBERS[name] as fc.Arbitrary<unknown>).map((value) => `"${name}":${JSON.stringify(value)}`),
  ),
);
const oddName = fc.oneof(
  fc.constantFrom(...NAMES),
  fc.constantFrom(...NAMES).map((name) => name.toUpperCase()),
  fc.constantFrom(...NAMES).map((name) => name.replace("s", "\u017f").replace("k", "\u212a")),
  fc.constantFrom("unknown", "10", "__proto__", "constructor", "", "\\ud800", "\u{1f600}"),
);
const oddMember = fc.tuple(oddName, space, json).map(([name, gap, value]) => `"${name}"${gap}:${value}`);

/** The most important members, each with invalid or unusual values. */
const RIGHTS = fc.constantFrom(
  "api_id",
  "versions",
  "allowed_urls",
  "limit",
  "endpoints",
  "mcp_access_rights",
  "Limit",
  "new",
);
const INNER = fc.constantFrom(
  ...[
    "null",
    "[]",
    "{}",
    '[{"url":"/a"}]',
    '[{"URL":"/b","methods":null}]',
    "[null]",
    '["Default",null]',
    "0",
  ],
  ...['{"rate":1,"per":0,"quota_max":5,"quota_remaining":2}', '{"smoothing":{"enabled":true,"step":1}}'],
  ...['{"smoothing":{"enabled":false}}', '{"tools":{"allowed":["a"]},"prompts":{}}', '{"rate":1.0}', '""'],
  ...[
    '[{"path":"/","methods":[{"name":"GET","limit":{"rate":1,"new":[1]}}]},{}]',
    '{"quota_max":1,"QUOTA_MAX":2}',
  ],
);
const right = fc
  .array(fc.tuple(RIGHTS, INNER), { maxLength: 5 })
  .map((members) => `{${members.map(([name, value]) => `"${name}":${value}`).join()}}`);
const rights = fc
  .array(fc.tuple(fc.oneof(oddString, fc.constantFrom('"b"', '"B"', '"a"')), right), { maxLength: 4 })
  .map((members) => `"access_rights":{${members.map((member) => member.join(":")).join()}}`);

const written = fc
  .tuple(
    fc.array(
      fc.oneof(
        { weight: 12, arbitrary: usualMember },
        { weight: 1, arbitrary: oddMember },
        { weight: 2, arbitrary: rights },
        { weight: 1, arbitrary: oddTime.map((time) => `"date_created":${time}`) },
        { weight: 1, arbitrary: json.map((value) => `"meta_data":{"x":${value}}`) },
      ),
      { maxLength: 10 },
    ),
    space,
  )
  .map(([members, gap]) => `{${gap}${members.join(`,${gap}`)}}`);

/** As a printer writes it, except for one character that is missing, doubled or replaced. */
const broken = fc
  .tuple(anySession, fc.nat(), fc.constantFrom("", "0", "-", ",", '"', "}", "\\", "\ud800"))
  .map(([session, at, put]) => {
    const text = JSON.stringify(session);
    return text.slice(0, at % text.length) + put + text.slice((at % text.length) + 1);
  });

const deep = fc
  .tuple(fc.constantFrom(5, 58, 59, 60, 61, 62, 499, 500, 501, 2_000), fc.boolean())
  .map(([depth, isList]) =>
    isList
      ? `{"meta_data":{"a":${"[".repeat(depth)}${"]".repeat(depth)}}}`
      : `{"meta_data":${'{"a":'.repeat(depth)}1${"}".repeat(depth)},"new":${'{"a":'.repeat(depth)}1${"}".repeat(depth)}}`,
  );

export const sessionText: fc.Arbitrary<string> = fc.oneof(
  { weight: 12, arbitrary: written },
  { weight: 4, arbitrary: anySession.map((session) => JSON.stringify(session)) },
  { weight: 2, arbitrary: broken },
  { weight: 1, arbitrary: deep },
  { weight: 1, arbitrary: json },
);
