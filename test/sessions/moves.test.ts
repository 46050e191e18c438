// Sessions on their way into the table and out of it, in each form, against the real engine.

import assert from "node:assert/strict";
import { Readable } from "node:stream";
import { describe, it } from "node:test";
import { ScanCommand } from "@aws-sdk/client-dynamodb";
import fc from "fast-check";
import { AppError } from "../../lib/errors.ts";
import { emptyExport, entriesOf } from "../../lib/sessions/export.ts";
import { formatEntry, formatRedisEntry, LINE_BYTES, readEntry } from "../../lib/sessions/forms.ts";
import { createImport, emptyImport, type LeftOut, type Sourced } from "../../lib/sessions/import.ts";
import { sessionItem } from "../../lib/sessions/item.ts";
import { type Line, readLines } from "../../lib/sessions/line-reader.ts";
import { createSessionRows } from "../../lib/sessions/rows.ts";
import type { Place } from "../../lib/sessions/search.ts";
import { formatSession, parseSession, type Session } from "../../lib/sessions/session.ts";
import { createTake } from "../../lib/sessions/take.ts";
import { formatWhole, keepUnknown, parseWhole } from "../../lib/sessions/whole.ts";
import { anySession, MEMBERS } from "../helpers/any-session.ts";
import { NO_MARKS } from "../helpers/no-marks.ts";
import { useServices } from "../helpers/services.ts";

const NOW = 1_795_000_000_000;
const SECONDS = NOW / 1000;
const RIGHTS = { access_rights: { api1: { api_id: "api1" } } };

const services = useServices();

async function newTable() {
  const env = await services.newResources("moves");
  const rows = createSessionRows({
    dynamo: services.clients.dynamoClient,
    table: env.SESSIONS_TABLE,
    now: () => NOW,
    random: Math.random,
  });
  return { name: env.SESSIONS_TABLE, rows };
}
type Table = Awaited<ReturnType<typeof newTable>>;

async function* entriesIn(text: string | Buffer): AsyncGenerator<Sourced> {
  for await (const line of readLines(Readable.from([Buffer.from(text)]), LINE_BYTES))
    yield { place: line.number, entry: entryOf(line) };
}

function entryOf(line: Line) {
  try {
    if (line.problem) return new AppError("json-invalid", line.problem);
    return readEntry(line, SECONDS);
  } catch (thrown) {
    if (thrown instanceof AppError) return thrown;
    throw thrown;
  }
}

async function importInto({ rows }: Table, text: string, source = entriesIn(text)) {
  const tally = emptyImport();
  const leftOut: LeftOut[] = [];
  const take = createTake({
    proveMarks: NO_MARKS,
    rows,
    allowMasterKeys: false,
    changedBy: { by: "import" },
    pace: async () => true,
    now: () => NOW,
    random: Math.random,
  });
  const load = createImport({
    take,
    whenKept: "the table's is not older",
    nameOf: ({ key }) => key,
    concurrency: 4,
    onLeftOut: (left) => void leftOut.push(left),
  });
  const end = await load(source, tally);
  if (end.error) throw end.error;
  return { ...end, tally, leftOut };
}

async function exportOf({ rows }: Table, format: "lines" | "redis"): Promise<string> {
  const tally = emptyExport();
  const lines: string[] = [];
  let after: Place | undefined;
  do {
    const page = await rows.page({}, 7, after);
    for (const entry of entriesOf(page.rows, "", tally, ({ key }, message) =>
      assert.fail(`${key}: ${message}`),
    ))
      lines.push(format === "lines" ? formatEntry(entry) : formatRedisEntry(entry, SECONDS));
    after = page.next;
  } while (after !== undefined);
  return lines
    .sort()
    .map((line) => `${line}\n`)
    .join("");
}

const itemsOf = async ({ name }: Table) =>
  (await services.clients.dynamoClient.send(new ScanCommand({ TableName: name }))).Items ?? [];

const put = ({ rows }: Table, key: string, session: Session, updatedAt = SECONDS) =>
  rows.put({ ...sessionItem(key, session, 1, SECONDS), updated_at: updatedAt }, 0);

/** Without the items of lists that are objects. */
function withoutLists(value: unknown): unknown {
  if (Array.isArray(value)) return value.map((item) => (typeof item === "object" ? null : item));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, withoutLists(inner)]));
}

const lineOf = (key: string, session: object, more: object = {}) =>
  `${JSON.stringify({ key, session, ...more })}\n`;

describe("a session whose newer members nobody here knows", () => {
  it("is the same after it was printed, with all of them", () => {
    fc.assert(
      fc.property(anySession, (given) => {
        const text = formatWhole(parseWhole(JSON.stringify(given)));
        assert.equal(formatWhole(parseWhole(text)), text);
        assert.equal(formatWhole(JSON.parse(text)), text);
        const printed = JSON.parse(text) as object;
        for (const name of Object.keys(given))
          if (name.startsWith("new_")) assert.ok(Object.hasOwn(printed, name), name);
      }),
      { numRuns: 300 },
    );
  });

  it("has the members of a gateway as they are printed without the others", () => {
    fc.assert(
      fc.property(anySession, (given) => {
        const whole = formatWhole(parseWhole(JSON.stringify(given)));
        assert.equal(formatSession(parseSession(whole)), formatSession(parseSession(JSON.stringify(given))));
      }),
      { numRuns: 300 },
    );
  });

  it("keeps them when somebody writes what was shown without them", () => {
    fc.assert(
      fc.property(anySession, (given) => {
        const stored = parseWhole(JSON.stringify(given));
        const set = parseSession(formatSession(stored));
        const kept = keepUnknown(set, stored);
        // Of a list's items nobody knows which is which.
        assert.deepEqual(withoutLists(kept), withoutLists(JSON.parse(formatWhole(stored))));
      }),
      { numRuns: 300 },
    );
  });

  it("loses them with the right that they are of", () => {
    const stored = parseWhole(
      '{"access_rights":{"a":{"new":1},"b":{"new":2,"limit":{"new":3}}},"new":{"x":1}}',
    );
    const kept = keepUnknown(
      parseSession('{"access_rights":{"b":{"limit":{"rate":5}}},"alias":"x"}'),
      stored,
    );
    assert.deepEqual(JSON.parse(formatWhole(kept)), {
      access_rights: { b: { limit: { rate: 5, new: 3 }, new: 2 } },
      alias: "x",
      new: { x: 1 },
    });
  });

  it("is refused for an integer that could not be kept", () => {
    assert.throws(() => parseWhole('{"new":{"a":[1,9007199254740993]}}'), {
      code: "session-invalid",
      message: 'new["a"][1]: the integer is beyond 2^53: it cannot be kept exactly',
      field: 'new["a"][1]',
    });
    assert.throws(() => parseWhole('{"rate":"x"}'), { code: "session-invalid", field: "rate" });
  });
});

describe("an import of an export", () => {
  for (const format of ["lines", "redis"] as const) {
    it(`changes nothing, in the form ${format}`, async () => {
      const table = await newTable();
      const samples = fc.sample(anySession, { numRuns: 150, seed: 17 });
      const unseen = new Set(Object.keys(MEMBERS));
      const given = samples
        .map((session, at) => {
          for (const name of Object.keys(session)) unseen.delete(name);
          return lineOf(`key ${at} ü/"`, session, {
            updated_at: 1_700_000_000 + at,
            ttl: SECONDS + 1_000 + at,
          });
        })
        .join("");
      assert.deepEqual([...unseen], [], "every member is in some session");
      const first = await importInto(table, given);
      assert.deepEqual([first.tally.added, first.leftOut], [150, []]);
      const items = await itemsOf(table);
      const exported = await exportOf(table, format);
      const again = await importInto(table, exported);
      assert.deepEqual([again.tally.unchanged, again.tally.read, again.leftOut], [150, 150, []]);
      assert.deepEqual(await itemsOf(table), items, "not even a version is another");

      const other = await newTable();
      assert.equal((await importInto(other, exported)).tally.added, 150);
      assert.equal(await exportOf(other, format), exported);
    });
  }

  it("keeps what an item has beside its session", async () => {
    const table = await newTable();
    const changed = { handler: "sessionEditor", event: "KeyExpired", event_id: "e1" };
    const item = sessionItem(
      "k",
      { ...RIGHTS, session_lifetime: 60 },
      5,
      SECONDS,
      undefined,
      undefined,
      changed,
    );
    await table.rows.put(item, 0);
    const exported = await exportOf(table, "lines");
    assert.deepEqual(JSON.parse(exported), {
      key: "k",
      session: { ...RIGHTS, session_lifetime: 60 },
      updated_at: SECONDS,
      ttl: SECONDS + 60,
      changed_by: changed,
    });
    const other = await newTable();
    await importInto(other, exported);
    const [{ version: _, ...copied } = {}] = await itemsOf(other);
    const [{ version: __, ...original } = {}] = await itemsOf(table);
    assert.deepEqual(copied, original);
  });
});

describe("an import", () => {
  it("never overwrites what is not older, and says which lines it left out", async () => {
    const table = await newTable();
    await put(table, "newer", { ...RIGHTS, alias: "table" }, 2_000);
    await put(table, "older", { ...RIGHTS, alias: "table" }, 1_000);
    await put(table, "unknown", { ...RIGHTS, alias: "table" }, 0);
    const { tally, leftOut } = await importInto(
      table,
      lineOf("newer", { ...RIGHTS, alias: "file" }, { updated_at: 2_000 }) +
        lineOf("older", { ...RIGHTS, alias: "file" }, { updated_at: 1_001 }) +
        lineOf("unknown", { ...RIGHTS, alias: "file" }) +
        lineOf("new", { ...RIGHTS, alias: "file" }),
    );
    assert.deepEqual(tally, {
      read: 4,
      added: 1,
      replaced: 1,
      unchanged: 0,
      kept: 2,
      refused: 0,
      passed: 0,
    });
    assert.deepEqual(
      leftOut.map(({ place, code }) => [place, code]),
      [
        [1, "kept"],
        [3, "kept"],
      ],
    );
    const rows = await table.rows.readMany(["newer", "older", "unknown", "new"]);
    const aliases = ["newer", "older", "unknown", "new"].map((key) => rows.get(key)?.stored.session?.alias);
    assert.deepEqual(aliases, ["table", "file", "table", "file"]);
    assert.equal(rows.get("older")?.updatedAt, 1_001);
  });

  it("of several lines of one key leaves the newest, in whatever order they come", async () => {
    const table = await newTable();
    const times = fc.sample(fc.integer({ min: 1, max: 50 }), { numRuns: 200, seed: 5 });
    const text = times
      .map((at) => lineOf("k", { ...RIGHTS, alias: `at ${at}` }, { updated_at: at }))
      .join("");
    await importInto(table, text);
    const row = (await table.rows.readMany(["k"])).get("k");
    assert.equal(row?.stored.session?.alias, `at ${Math.max(...times)}`);
  });

  it("writes on nobody else's change unread", async () => {
    const table = await newTable();
    await put(table, "k", { ...RIGHTS, alias: "before" }, 1_000);
    const { rows } = table;
    let others = 0;
    const racing: Table = {
      ...table,
      rows: {
        ...rows,
        async put(item, read) {
          // A handler commits between the import's read and its write.
          if (others === 0) {
            others += 1;
            const { stored } = (await rows.readMany(["k"])).get("k") ?? assert.fail();
            const newer = sessionItem("k", { ...RIGHTS, alias: "handler" }, stored.version + 1, SECONDS);
            await rows.put(newer, stored.version);
          }
          return rows.put(item, read);
        },
      },
    };
    const { tally } = await importInto(
      racing,
      lineOf("k", { ...RIGHTS, alias: "file" }, { updated_at: 2_000 }),
    );
    assert.deepEqual([tally.replaced, tally.kept], [0, 1]);
    assert.equal((await rows.readMany(["k"])).get("k")?.stored.session?.alias, "handler");
  });

  it("takes the place of a session whose time is over, under a version that nobody has read", async () => {
    const table = await newTable();
    await table.rows.put(sessionItem("k", { ...RIGHTS, session_lifetime: 1 }, 41, SECONDS - 10), 0);
    const { tally } = await importInto(table, lineOf("k", { ...RIGHTS, alias: "again" }));
    assert.equal(tally.added, 1);
    assert.equal((await table.rows.readMany(["k"])).get("k")?.stored.version, 42);
  });

  it("says up to where all is done when it is stopped, and goes on from there", async () => {
    const table = await newTable();
    const text = Array.from({ length: 200 }, (_, at) => lineOf(`k${at}`, RIGHTS)).join("");
    let left = 90;
    const tally = emptyImport();
    const take = createTake({
      proveMarks: NO_MARKS,
      rows: table.rows,
      allowMasterKeys: false,
      changedBy: { by: "import" },
      pace: async () => left-- > 0,
      now: () => NOW,
      random: Math.random,
    });
    const load = createImport({
      take,
      whenKept: "",
      nameOf: ({ key }) => key,
      concurrency: 3,
      onLeftOut: () => assert.fail(),
    });
    const { complete, doneTo } = await load(entriesIn(text), tally);
    assert.equal(complete, false);
    assert.ok(doneTo < 90, `${doneTo}`);
    const done = await table.rows.readMany(Array.from({ length: doneTo }, (_, at) => `k${at}`));
    assert.equal(done.size, doneTo, "each line up to there");
    const rest = (await importInto(table, text)).tally;
    assert.deepEqual([rest.added + rest.unchanged, rest.read], [200, 200]);
    assert.ok(rest.unchanged >= 90);
  });

  it("passes over throttling, and over an answer that is lost", async () => {
    const table = await newTable();
    const faults = ["ThrottlingException", "TimeoutError", "lost"];
    const rows = {
      ...table.rows,
      async put(item: Record<string, unknown>, read: number) {
        const fault = faults.shift();
        if (fault === "lost") await table.rows.put(item, read);
        if (fault) throw Object.assign(new Error(fault), { name: fault === "lost" ? "TimeoutError" : fault });
        return table.rows.put(item, read);
      },
    };
    const { tally } = await importInto({ ...table, rows }, lineOf("k", RIGHTS));
    assert.deepEqual([tally.added + tally.unchanged, tally.refused, faults.length], [1, 0, 0]);
    assert.equal((await itemsOf(table)).length, 1);
  });

  it("ends with what ended it, and the place, when the table is away", async () => {
    const table = await newTable();
    const rows = {
      ...table.rows,
      readMany: async () => {
        throw Object.assign(new Error("no access"), { name: "AccessDeniedException" });
      },
    };
    await assert.rejects(importInto({ ...table, rows }, lineOf("k", RIGHTS)), /no access/);
  });
});

describe("a line that is not taken", () => {
  const nested = (levels: number): object => (levels === 0 ? {} : { x: nested(levels - 1) });
  const withMeta = (meta_data: object) => ({ ...RIGHTS, meta_data });
  const redisLine = (members: object) => `${JSON.stringify({ key: "apikey-k", value: "{}", ...members })}\n`;
  const BAD: [what: string, line: string | Buffer, code: string, message: RegExp][] = [
    ["not JSON", "{key\n", "json-invalid", /^the JSON text: not JSON at position 1$/],
    ["a list", "[1]\n", "json-invalid", /^the JSON text: expected an object, found an array$/],
    ["without a session", '{"key":"k"}\n', "session-invalid", /^session is missing: /],
    ["with null for a session", '{"key":"k","session":null}\n', "session-invalid", /^session is missing: /],
    ["without a key", lineOf("", RIGHTS), "session-invalid", /^key is missing: /],
    ["with a number for a key", '{"key":7,"session":{}}\n', "session-invalid", /^key: expected a string/],
    [
      "with a wrong type",
      lineOf("k", { ...RIGHTS, tags: "a" }),
      "session-invalid",
      /^session\.tags: expected an array, found a string$/,
    ],
    [
      "with a fraction for an integer",
      lineOf("k", { expires: 1.5 }),
      "session-invalid",
      /^session\.expires: expected an integer/,
    ],
    [
      "with an integer beyond 2^53",
      '{"key":"k","session":{"expires":9007199254740993}}\n',
      "session-invalid",
      /^session\.expires: the integer is beyond 2\^53/,
    ],
    [
      "with a number of 1e126",
      lineOf("k", { ...RIGHTS, rate: 1e126 }),
      "session-invalid",
      /^rate has a number that is out of range/,
    ],
    [
      "with a number of 1e-131",
      lineOf("k", withMeta({ a: 1e-131 })),
      "session-invalid",
      /^meta_data has a number that is out of range/,
    ],
    [
      "nested more than 30 levels deep",
      lineOf("k", withMeta(nested(30))),
      "session-invalid",
      /^meta_data is nested deeper than 30 levels/,
    ],
    [
      "nested a million levels deep",
      `{"key":"k","session":{"x":${"[".repeat(1_000_000)}`,
      "session-too-large",
      /at most 10000 members/,
    ],
    [
      "with a member without a name",
      lineOf("k", withMeta({ "": 1 })),
      "session-invalid",
      /^meta_data has a member whose name has 0 bytes/,
    ],
    [
      "of more than 380 KB",
      lineOf("k", { ...RIGHTS, alias: "x".repeat(390_000) }),
      "session-too-large",
      /^a session takes at most 389120 bytes/,
    ],
    [
      "with too many members",
      lineOf("k", { ...RIGHTS, tags: Array(10_100).fill("") }),
      "session-too-large",
      /^a session has at most 10000 members/,
    ],
    [
      "longer than any session",
      `{"key":"k","session":{"alias":"${"x".repeat(LINE_BYTES)}"}}\n`,
      "json-invalid",
      /^the line is longer than 3112960 bytes$/,
    ],
    ["that is not UTF-8", Buffer.from([0x7b, 0xff, 0x7d, 0x0a]), "json-invalid", /^the line is not UTF-8$/],
    ["without access rights", lineOf("k", { org_id: "o" }), "session-refused", /^Master keys not allowed/],
    ["whose time is over", lineOf("k", RIGHTS, { ttl: SECONDS - 1 }), "session-refused", /^its ttl is over/],
    [
      "of a Redis key that is a hash",
      redisLine({ type: "hash" }),
      "session-invalid",
      /^type is "hash", but a session is a string$/,
    ],
    [
      "with an object for a value",
      redisLine({ value: {} }),
      "session-invalid",
      /^value: expected a string, found an object$/,
    ],
    [
      "with a value that is cut",
      redisLine({ value: '{"org_id":"o' }),
      "session-invalid",
      /^the JSON text: not JSON/,
    ],
  ];
  for (const [what, line, code, message] of BAD) {
    it(`${what}: ${code}`, async () => {
      const table = await newTable();
      const { tally, leftOut } = await importInto(table, "", entriesIn(line));
      const [left] = leftOut;
      assert.deepEqual([left?.place, left?.code, tally.refused], [1, code, 1], left?.message);
      assert.match(left?.message ?? "", message);
      assert.deepEqual(await itemsOf(table), [], "nothing is half written");
    });
  }

  it("is told by its number, and the others are taken", async () => {
    const table = await newTable();
    const lines = Array.from({ length: 3_000 }, (_, at) => lineOf(`k${at}`, RIGHTS));
    lines[1_233] = '{"key":"k1233","session":{"rate":"fast"}}\n';
    const { tally, leftOut, doneTo } = await importInto(table, lines.join(""));
    assert.deepEqual([tally.added, tally.refused, doneTo], [2_999, 1, 3_000]);
    assert.deepEqual(leftOut, [
      { place: 1_234, code: "session-invalid", message: "session.rate: expected a number, found a string" },
    ]);
  });

  it("may be the last one, where a dump was cut off", async () => {
    const table = await newTable();
    for (const [at, whole] of [
      lineOf("k2", RIGHTS),
      redisLine({ key: "apikey-k2", value: JSON.stringify(RIGHTS) }),
    ].entries()) {
      for (const cut of [1, 10, whole.length - 2]) {
        const text = `${lineOf(`k${at}-${cut}`, RIGHTS)}${whole.slice(0, cut)}`;
        const { tally, leftOut } = await importInto(table, text);
        assert.equal(tally.added, 1);
        assert.deepEqual(leftOut, [
          { place: 2, code: "json-invalid", message: "the file was cut off in the middle of this line" },
        ]);
      }
    }
    assert.ok(!(await table.rows.readMany(["k2"])).has("k2"));
    assert.equal(
      (await importInto(table, lineOf("k2", RIGHTS).trimEnd())).tally.added,
      1,
      "a line end may be missing",
    );
  });

  it("is not one that says nothing: blank lines, other Redis keys, a mark at the file's start", async () => {
    const table = await newTable();
    const text = `\ufeff${lineOf("k1", RIGHTS)}\r\n  \n${redisLine({ key: "quota-k1", value: "5" })}${lineOf("k2", RIGHTS).replace("\n", "\r\n")}`;
    const { tally, leftOut } = await importInto(table, text);
    assert.deepEqual([tally.added, tally.passed, tally.read, leftOut], [2, 1, 3, []]);
  });

  it("has the same number however the file comes in", async () => {
    const text = Buffer.from(`${lineOf("é", RIGHTS)}\n${lineOf("😀", RIGHTS)}last`);
    for (const size of [1, 2, 3, 7, 64, 1_000]) {
      const chunks = Array.from({ length: Math.ceil(text.length / size) }, (_, at) =>
        text.subarray(at * size, (at + 1) * size),
      );
      const lines = await Array.fromAsync(readLines(Readable.from(chunks), LINE_BYTES));
      assert.deepEqual(
        lines.map(({ number, text: line, isWhole }) => [number, line, isWhole]),
        [
          [1, lineOf("é", RIGHTS).trimEnd(), true],
          [3, lineOf("😀", RIGHTS).trimEnd(), true],
          [4, "last", false],
        ],
      );
    }
  });
});
