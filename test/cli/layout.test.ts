import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { type Column, cut, lineWidth, type Row, table, wrapped } from "../../cli/terminal/layout.ts";
import { longerThan, runCli } from "../helpers/cli.ts";

/** Columns that a text takes in a terminal, as Unicode has it: wide and full-width characters, and emoji, take two. */
function columnsOf(text: string): number {
  const WIDE =
    /\p{Emoji_Presentation}|[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\uff00-\uff60\u{20000}-\u{3fffd}]/u;
  const graphemes = [...new Intl.Segmenter().segment(text)];
  return graphemes.reduce((sum, { segment }) => sum + (WIDE.test(segment) ? 2 : 1), 0);
}

const RELEASES: Column[] = [
  { head: "RELEASE" },
  { head: "RESULT" },
  { head: "BUILT (UTC)" },
  { head: "ERRORS", align: "right" },
];
const LETTERS: Column[] = [{ head: "GROUP" }, { head: "REASON" }, { head: "HANDLER", least: 12 }];
const MEMBERS: Column[] = [{ head: "MEMBER" }, { head: "TABLE", least: 16 }, { head: "GATEWAY", least: 16 }];

const TABLES: Record<string, [Column[], Row[]]> = {
  releases: [
    RELEASES,
    [
      { cells: ["1a4e5b22afa06c39", "was live", "2026-11-23 14:24:27", "12"] },
      { cells: ["a159a5bfc7cf0c02", "live", "2026-11-23 14:24:18", "0"] },
    ],
  ],
  "dead letters": [
    LETTERS,
    [
      {
        cells: ["f318f9a8", "handler-storage-calls", "aHandlerWithQuiteALongName"],
        details: [
          `TypeError: 日本語の長いエラー, ${"not this time, ".repeat(12)}at deep/folder/session-editor.js:12:51`,
          "such as event 30e99ea9-4d2a-4e6f-b51e-773d756577b7 of API 注文",
        ],
      },
      { cells: ["36b6dc82", "api-unknown", ""], details: ["such as event 🎉🎉🎉 of API billing"] },
    ],
  ],
  "a session": [
    MEMBERS,
    [
      {
        cells: [
          "! access_rights.日本",
          '{"api_id":"日本","versions":["Default"]}',
          '{"api_id":"日本","versions":[]}',
        ],
      },
      { cells: ["  alias", '"ｆｕｌｌ ｗｉｄｔｈ 🎉 party"', "-"] },
      { cells: ["  rate", "100", "7"] },
    ],
  ],
};

describe("a table", () => {
  for (const [what, [columns, rows]] of Object.entries(TABLES)) {
    for (const width of [200, 80, 60, 40]) {
      it(`of ${what} fits ${width} columns`, () => {
        for (const line of table(columns, rows, width))
          assert.ok(columnsOf(line) <= width, `${columnsOf(line)} columns: ${line}`);
      });
    }

    it(`of ${what} is one line for each row, whole, where nobody looks at its width`, () => {
      const lines = table(columns, rows, Number.POSITIVE_INFINITY);
      assert.equal(lines.length, 1 + rows.length + rows.flatMap(({ details = [] }) => details).length);
      for (const text of rows.flatMap(({ cells, details = [] }) => [...cells, ...details]))
        assert.ok(
          lines.some((line) => line.includes(text.trim())),
          text,
        );
    });

    it(`of ${what} is a list at 40 columns, and loses nothing that may not be cut`, () => {
      const text = table(columns, rows, 40).join("\n");
      for (const { cells } of rows)
        for (const [at, { head, least }] of columns.entries())
          if (cells[at] && least === undefined)
            assert.match(text, new RegExp(`^${head.replace(/[()]/g, "\\$&")} +\\S`, "m"));
      const joined = text.replaceAll(/\s+/g, "");
      for (const { cells, details = [] } of rows)
        for (const whole of [...cells.filter((_, at) => !columns[at]?.least), ...details])
          assert.ok(joined.includes(whole.replaceAll(/\s+/g, "")), whole);
    });
  }

  it("has its columns one below the other, wide characters and numbers too", () => {
    assert.deepEqual(
      table(
        [{ head: "NAME" }, { head: "N", align: "right" }],
        [{ cells: ["日本", "1"] }, { cells: ["a", "23"] }],
        80,
      ),
      ["NAME   N", "日本   1", "a     23"],
    );
  });

  it("cuts the widest cells first, and only those that may be cut", () => {
    const cells = ["0123456789".repeat(2), "0123456789".repeat(3), "0123456789"];
    const columns = [{ head: "A" }, { head: "B", least: 5 }, { head: "C", least: 5 }];
    const rowAt = (width: number) => table(columns, [{ cells }], width)[1];
    assert.equal(rowAt(64), cells.join("  "));
    assert.equal(rowAt(54), "01234567890123456789  0123456789012345678…  0123456789");
    assert.equal(rowAt(40), "01234567890123456789  0123456…  0123456…");
  });

  it("has nothing in it that steers a terminal", () => {
    const [, row = ""] = table([{ head: "A" }, { head: "B" }], [{ cells: ["\x1b[2J\u202e", "b"] }], 80);
    assert.equal(row, "\\u001b[2J\\u202e  b");
  });
});

describe("a line that is too long", () => {
  it("is broken between words, and indented", () => {
    assert.deepEqual(wrapped("error    apis/a.json: one two three four", 28, "         "), [
      "error    apis/a.json: one",
      "         two three four",
    ]);
    assert.deepEqual(wrapped("x".repeat(50), 40, "  "), ["x".repeat(40), `  ${"x".repeat(10)}`]);
    assert.deepEqual(wrapped("日本語".repeat(5), 20), ["日本語日本語日本語日", "本語日本語"]);
  });

  it("is as it is where it fits, where nobody looks, and where it is data", () => {
    const text = `a ${"b ".repeat(60)}c`;
    assert.deepEqual(wrapped(text, 200), [text]);
    assert.deepEqual(wrapped(text, Number.POSITIVE_INFINITY), [text]);
    assert.deepEqual(wrapped("x ".repeat(10_000), 80), ["x ".repeat(10_000)]);
  });

  it("keeps every character, and fits, for whatever text", () => {
    const texts = fc.string({ unit: "grapheme-ascii", maxLength: 300 });
    fc.assert(
      fc.property(texts, fc.integer({ min: 20, max: 100 }), (text, width) => {
        const lines = wrapped(text, width, "  ");
        for (const line of lines) assert.ok(columnsOf(line) <= width, line);
        assert.equal(lines.join("").replaceAll(/\s/g, ""), text.replaceAll(/\s/g, ""));
      }),
    );
  });
});

describe("a text that is cut", () => {
  it("is cut between characters, and says so", () => {
    assert.equal(cut("abcdef", 6), "abcdef");
    assert.equal(cut("abcdef", 5), "abcd…");
    assert.equal(cut("日本語", 5), "日本…");
    assert.equal(cut("日本語", 4), "日…");
    assert.equal(cut("a👩‍👩‍👧b👩‍👩‍👧c", 5), "a👩‍👩‍👧b…");
  });
});

describe("the width of lines", () => {
  it("is the terminal's, unless COLUMNS says another, and has no end for a file or a pipe", () => {
    assert.equal(lineWidth({ columns: 40 }, {}), 40);
    assert.equal(lineWidth({ columns: 40 }, { COLUMNS: "120" }), 120);
    assert.equal(lineWidth({}, { COLUMNS: "60" }), 60);
    for (const COLUMNS of ["", "0", "wide", "-1", undefined])
      assert.equal(lineWidth({}, { COLUMNS }), Number.POSITIVE_INFINITY);
    assert.equal(lineWidth({ columns: 0 }, {}), Number.POSITIVE_INFINITY, "a terminal without a size");
  });
});

describe("the help", () => {
  // These have texts that the command line's library does not wrap.
  for (const command of ["attach", "detach", "dlq", "events", "run", "webhook verify"])
    it(`of ${command} fits a terminal of 80 columns`, async () => {
      const told = await runCli([...command.split(" "), "--help"], { env: { COLUMNS: "80" } });
      assert.equal(told.code, 0);
      assert.deepEqual(longerThan(80, told), []);
    });
});
