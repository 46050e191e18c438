// A stage's history, as its reader takes it: a record that unpacks to far more than any record is not taken.
import assert from "node:assert/strict";
import { Readable } from "node:stream";
import { describe, it } from "node:test";
import { gzipSync } from "node:zlib";
import type { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import type { S3Client } from "@aws-sdk/client-s3";
import { createTableReader } from "../../cli/stage/history-table.ts";
import { listedOf } from "../../lib/history/table-items.ts";

const PLACE = { file: "2026-12-01", offset: 0, bytes: 0 };
const ATTEMPT = {
  id: "e1",
  api_id: "demo",
  n: 1,
  at: "2026-12-01T00:00:00.000Z",
  ms: 2,
  outcome: "done",
  event: { Type: "KeyExpired", Meta: {}, TimeStamp: "" },
  runs: [],
};
const record = (padding: string) => gzipSync(JSON.stringify({ ...ATTEMPT, padding }));

/** Its texts without one member each. */
const without = (value: object) =>
  Object.keys(value).map((name) => JSON.stringify({ ...value, [name]: undefined }));

const readerOf = (Item: object, object: object = {}) =>
  createTableReader({
    dynamo: { send: async () => ({ Item }) } as unknown as DynamoDBClient,
    s3: { send: async () => object } as unknown as S3Client,
    table: "history",
    bucket: "history",
    ttlDays: 14,
    now: () => 0,
  });

describe("a record of a stage's history", () => {
  it("is unpacked up to a size that no record has", async () => {
    const taken = await readerOf({ record: { B: record("x".repeat(10_000_000)) } }).lineAt(PLACE);
    assert.ok(taken && "attempt" in taken && taken.attempt.id === "e1");
    const bomb = record("x".repeat(40_000_000));
    assert.ok(bomb.length < 64 * 1024, "it would fit into an item");
    assert.equal(await readerOf({ record: { B: bomb } }).lineAt(PLACE), undefined);
  });

  it("is not taken if no function writes such a record", async () => {
    const deep = `${"[".repeat(100_000)}${"]".repeat(100_000)}`;
    const forged = [
      `${JSON.stringify(ATTEMPT).slice(0, -1)},"padding":${deep}}`,
      ...without(ATTEMPT),
      deep,
      "null",
      "[]",
      "{}",
      '{"runs":1}',
      '{"runs":[',
      "",
    ];
    for (const text of forged)
      assert.equal(
        await readerOf({ record: { B: gzipSync(text) } }).lineAt(PLACE),
        undefined,
        text.slice(0, 40),
      );
    assert.equal(await readerOf({ record: { B: Buffer.from("no gzip") } }).lineAt(PLACE), undefined);
  });

  it("is not listed with a summary that no function writes", () => {
    const listed = (summary: string) =>
      listedOf({ pk: { S: "e#e1" }, sk: { S: "t" }, summary: { S: summary } });
    const { event, runs, ...facts } = ATTEMPT;
    const written = { ...facts, type: event.Type, handlers: ["audit"] };
    assert.equal(listed(JSON.stringify(written))?.attempt.event.Type, "KeyExpired");
    for (const forged of [
      "",
      "{",
      "null",
      "[]",
      "{}",
      '{"handlers":1}',
      JSON.stringify({ ...written, at: 5 }),
      JSON.stringify({ ...written, at: "today" }),
      JSON.stringify({ ...written, handlers: [5] }),
      ...without(written),
    ])
      assert.equal(listed(forged), undefined, forged);
  });

  it("is not read from an object that is larger than that", async () => {
    const body = Readable.from(["x"]);
    const reader = readerOf({ object: { S: "history/x" } }, { Body: body, ContentLength: 40_000_000 });
    assert.equal(await reader.lineAt(PLACE), undefined);
    assert.ok(body.destroyed);
  });
});
