// Pinned events: kept with their content, readable by their user alone, ten at most.
import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import type { AppError } from "../../lib/errors.ts";
import type { AttemptRecord } from "../../lib/history/records.ts";
import { createPins, MOST_PINS } from "../../local/pins.ts";

const attempt = (id: string, api_id = "shop"): AttemptRecord => ({
  id,
  api_id,
  n: 1,
  at: "2026-12-24T00:00:00.000Z",
  ms: 1,
  container: "c",
  isolation: "global",
  outcome: "done",
  event: { Type: "KeyExpired", Meta: {}, TimeStamp: "" },
  runs: [],
});

describe("pinned events", () => {
  let folder = "";
  let file = "";
  before(() => {
    folder = mkdtempSync(join(tmpdir(), "gatehook-"));
    file = join(folder, "state/pins.json");
  });
  after(() => rmSync(folder, { recursive: true }));

  it("are kept in order, each once, in a file of one's own", () => {
    const pins = createPins(file);
    assert.deepEqual(pins.list(), []);
    pins.add(attempt("a"));
    pins.add(attempt("a", "other"));
    pins.add({ ...attempt("a"), n: 2 });
    assert.deepEqual(
      createPins(file)
        .list()
        .map(({ id, api_id, n }) => [id, api_id, n]),
      [
        ["a", "other", 1],
        ["a", "shop", 2],
      ],
    );
    assert.equal(statSync(file).mode & 0o777, 0o600);
    assert.deepEqual(readdirSync(join(folder, "state")), ["pins.json"]);
    assert.equal(pins.remove(attempt("b")), false);
    assert.equal(pins.remove(attempt("a")), true);
    assert.deepEqual(
      pins.list().map(({ api_id }) => api_id),
      ["other"],
    );
  });

  it("are ten at most, and one of them can be pinned again", () => {
    const pins = createPins(join(folder, "many.json"));
    for (let nth = 0; nth < MOST_PINS; nth += 1) pins.add(attempt(`e${nth}`));
    assert.throws(
      () => pins.add(attempt("more")),
      ({ code, message }: AppError) => {
        assert.equal(code, "request-invalid");
        return /10 events are pinned, which is the most/.test(message);
      },
    );
    pins.add(attempt("e0"));
    assert.equal(pins.list().length, MOST_PINS);
  });

  for (const text of ["", "{", "{}", '{"pins":1}', '{"pins":[{}]}', '{"pins":[null]}'])
    it(`are not read from ${JSON.stringify(text)}, and it is said how to go on`, () => {
      const broken = join(folder, "broken.json");
      writeFileSync(broken, text);
      assert.throws(
        () => createPins(broken).list(),
        ({ code, message }: AppError) => {
          assert.equal(code, "local-failed");
          return message.includes(broken) && /remove it, and pin the events again/.test(message);
        },
      );
    });
});
