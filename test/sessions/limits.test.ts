// What the sessions table can hold: what passes the check is taken by the real engine, what does not is refused alike
// by the consumer, `gatehook run` and the sessions API.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { before, describe, it } from "node:test";
import { AppError } from "../../lib/errors.ts";
import { outline } from "../../lib/go/json.ts";
import {
  checkText,
  SESSION_BYTES,
  SESSION_CHARS,
  SESSION_DEPTH,
  SESSION_VALUES,
  storableBytes,
} from "../../lib/sessions/limits.ts";
import { formatSession, parseSession, type Session } from "../../lib/sessions/session.ts";
import { createSessionStore, type SessionStore } from "../../lib/sessions/store.ts";
import { NO_MARKS } from "../helpers/no-marks.ts";
import { useServices } from "../helpers/services.ts";

const nested = (levels: number): unknown => (levels === 0 ? 1 : { x: nested(levels - 1) });

describe("a session that the table cannot hold", () => {
  const REFUSED: [what: string, session: Session, code: string, field: string | undefined][] = [
    ["nesting", { meta_data: nested(SESSION_DEPTH) as never }, "session-invalid", "meta_data"],
    [
      "lists in lists",
      { meta_data: { d: JSON.parse("[".repeat(40) + "]".repeat(40)) } },
      "session-invalid",
      "meta_data",
    ],
    ["a number too large", { meta_data: { v: 1e300 } }, "session-invalid", "meta_data"],
    ["a number too near to zero", { rate: -1e-200 }, "session-invalid", "rate"],
    ["a number in a list", { monitor: { trigger_limits: [1e126] } }, "session-invalid", "monitor"],
    ["an empty name", { meta_data: { "": 1 } }, "session-invalid", "meta_data"],
    ["a name of 64 KiB", { meta_data: { ["n".repeat(65_536)]: 1 } }, "session-invalid", "meta_data"],
    ["an organisation that no index takes", { org_id: "o".repeat(2_049) }, "session-invalid", "org_id"],
    ["a text of 380 KiB", { alias: "x".repeat(SESSION_BYTES) }, "session-too-large", undefined],
    [
      "short numbers, which the table makes longer",
      { meta_data: { n: Array(100_000).fill(1) } },
      "session-too-large",
      undefined,
    ],
  ];
  for (const [what, session, code, field] of REFUSED) {
    it(`is refused with the member at fault: ${what}`, () => {
      assert.throws(() => storableBytes(session), { name: "AppError", code, field });
    });
  }

  it("is refused before anything is made of its text", () => {
    for (const text of [
      `"${"x".repeat(SESSION_CHARS)}"`,
      `[${"1,".repeat(SESSION_VALUES)}1]`,
      "[".repeat(SESSION_VALUES + 1),
    ]) {
      assert.throws(() => checkText(text), { code: "session-too-large" });
      assert.throws(() => parseSession(text), { code: "session-too-large" });
    }
    checkText(`{"a":"${",".repeat(SESSION_VALUES * 2)}"}`); // in a string a comma separates nothing
  });
});

describe("the outline of a text", () => {
  it("has its depth, and at least as many values as it has", () => {
    const cases: [string, number, number][] = [
      ["1", 0, 1],
      ['{"a":[1,2],"b":{}}', 2, 5],
      [String.raw`["\"[[{,",",\\",[]]`, 2, 4],
      ["", 0, 1],
      ['"[[[', 0, 1],
    ];
    for (const [text, depth, values] of cases) {
      const found = outline(text);
      assert.equal(found.depth, depth, text);
      assert.ok(found.values >= values, `${text}: ${found.values}`);
    }
  });
});

describe("a session that the table can just hold", () => {
  const services = useServices();
  let store: SessionStore;
  before(async () => {
    const env = await services.newResources("limits");
    const dynamo = services.clients.dynamoClient;
    store = createSessionStore({
      dynamo,
      table: env.SESSIONS_TABLE,
      proveMarks: NO_MARKS,
      now: Date.now,
      random: Math.random,
    });
  });

  const odd =
    '{"constructor":{"name":"Set"},"__proto__":{"a":1},"toString":null,"S":"x","M":{},"NULL":true,"10":1,"9":[]}';
  const sized = (bytes: number): Session => ({ alias: "x".repeat(bytes - storableBytes({ alias: "" })) });
  const HELD: [what: string, session: Session][] = [
    ["as deep as it may be", { meta_data: nested(SESSION_DEPTH - 1) as never }],
    [
      "with the largest and the smallest numbers",
      {
        meta_data: {
          a: 9.9e125,
          b: -9.9e125,
          c: 1e-130,
          d: -1e-130,
          e: 0,
          f: 2 ** 53,
          g: 0.1 + 0.2,
          h: 1.7976931348623157e100,
        },
      },
    ],
    ["with names that JavaScript has of its own", parseSession(`{"meta_data":${odd}}`)],
    ["with any text", { alias: "\0\u0001\u{1f600}\ufffe\uffff\u2028<&>\ufffd", tags: ["", " "] }],
    ["as large as it may be, in one text", sized(SESSION_BYTES)],
    [
      "as large as it may be, in numbers",
      { meta_data: { n: Array.from({ length: 9_900 }, (_, nth) => nth / 7) } },
    ],
    [
      "as large as it may be, in short names",
      { meta_data: Object.fromEntries(Array.from({ length: 9_900 }, (_, nth) => [`${nth}`, ""])) },
    ],
    ["for an organisation with the longest id", { org_id: "o".repeat(2_048) }],
  ];
  for (const [what, session] of HELD) {
    it(`is held and comes back: ${what}`, async () => {
      storableBytes(session);
      const key = `${"k".repeat(2_000)}${randomUUID()}`;
      assert.ok(await store.put(key, session, { version: 0 }, { changedBy: { by: "api" } }));
      const read = await store.read(key);
      assert.equal(formatSession(read.session ?? {}), formatSession(session));
    });
  }

  it("is not held when it is larger than an item, whatever was counted", async () => {
    const large: Session = { alias: "x".repeat(410_000) };
    assert.throws(() => storableBytes(large), AppError);
    await assert.rejects(store.put("large", large, { version: 0 }, { changedBy: { by: "api" } }));
  });
});
