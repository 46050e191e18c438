import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { AppError } from "../lib/errors.ts";
import { MESSAGE_BYTES } from "../lib/events/event.ts";
import { createIngest, type IngestDeps } from "../lib/ingest/ingest.ts";
import type { Log } from "../lib/log.ts";
import { createReleaseReader } from "../lib/releases/reader.ts";
import { openRelease, type Release } from "../lib/releases/release.ts";
import { NO_METRICS } from "./helpers/metrics.ts";

const LOG: Log = { info() {}, warn() {}, error() {} };
const EVENT = { Type: "KeyExpired", Meta: { Key: "k1" }, TimeStamp: "t" };

const releaseOf = (...apiIds: string[]): Release => ({
  format: 1,
  apis: apiIds.map((api_id) => ({ api_id, org_id: "", name: "", handlers: {} })),
  scripts: [],
});

function setUp(deps: Partial<IngestDeps> = {}) {
  const queue: string[] = [];
  const asked: boolean[] = [];
  let ids = 0;
  const newId = () => {
    ids += 1;
    return `new-${ids}`;
  };
  const ingest = createIngest({
    async release({ fresh }) {
      asked.push(fresh);
      return openRelease("v1", releaseOf("demo", "constructor"));
    },
    send: async (body) => void queue.push(body),
    newId,
    hasGateway: false,
    log: LOG,
    metrics: NO_METRICS,
    ...deps,
  });
  return { ingest, queue, asked };
}

describe("an event that is posted", () => {
  it("is on the queue, complete, once it is accepted", async () => {
    const { ingest, queue } = setUp();
    const envelope = await ingest("demo", JSON.stringify({ id: "e1", org_id: "o1", event: EVENT }));
    assert.deepEqual(envelope, { id: "e1", api_id: "demo", org_id: "o1", event: EVENT });
    assert.deepEqual(
      queue.map((body) => JSON.parse(body)),
      [envelope],
    );
  });

  it("may be the bare event of a webhook, and gets an id", async () => {
    const { ingest, queue } = setUp();
    assert.equal((await ingest("demo", JSON.stringify(EVENT))).id, "new-1");
    assert.equal((await ingest("demo", JSON.stringify({ event: EVENT }))).id, "new-2");
    assert.deepEqual(JSON.parse(queue[0] ?? ""), { id: "new-1", api_id: "demo", event: EVENT });
  });

  it("may be what the gateway makes of the template for a whole event", async () => {
    const { ingest, queue } = setUp();
    const rendered = JSON.stringify(EVENT).replaceAll("<", "\\u003c").replaceAll("/", "\\/");
    for (const body of [`<script>${rendered}</script>`, `\n <script>${rendered}</script>\r\n`])
      await ingest("demo", body);
    for (const message of queue) assert.deepEqual((JSON.parse(message) as { event: unknown }).event, EVENT);
    for (const body of ["<script></script>", "<script>", "</script>", `<script>${rendered}`])
      await assert.rejects(ingest("demo", body), { code: "event-invalid", field: "body" });
  });

  it("is not accepted when the queue did not take it", async () => {
    const { ingest } = setUp({ send: () => Promise.reject(new Error("queue away")) });
    await assert.rejects(ingest("demo", JSON.stringify(EVENT)), /queue away/);
  });

  const REFUSED: [what: string, apiId: string, body: string, code: string, field: string][] = [
    ["is no JSON", "demo", "Key expired!", "event-invalid", "body"],
    ["has no type", "demo", '{"event":{"Meta":{}}}', "event-invalid", "event.Type"],
    [
      "names another API than the path",
      "demo",
      '{"api_id":"other","event":{"Type":"t"}}',
      "event-invalid",
      "api_id",
    ],
    ["is for an API that no release names", "nobody", '{"Type":"t"}', "api-unknown", "api_id"],
    [
      "is for an API that is named like a member of every object",
      "toString",
      '{"Type":"t"}',
      "api-unknown",
      "api_id",
    ],
    [
      "is too large for the queue",
      "demo",
      JSON.stringify({ ...EVENT, Meta: { OriginatingRequest: "x".repeat(MESSAGE_BYTES) } }),
      "event-too-large",
      "body",
    ],
  ];
  for (const [what, apiId, body, code, field] of REFUSED) {
    it(`is refused with the field at fault when it ${what}, and nothing is queued`, async () => {
      const { ingest, queue } = setUp();
      await assert.rejects(ingest(apiId, body), { name: "AppError", code, field });
      assert.deepEqual(queue, []);
    });
  }

  it("is measured in bytes, as the queue does, with its id and API", async () => {
    const { ingest, queue } = setUp();
    const of = (length: number) =>
      JSON.stringify({ id: "e1", event: { ...EVENT, Meta: { a: "é".repeat(length) } } });
    await ingest("demo", of(0));
    const room = Math.floor((MESSAGE_BYTES - Buffer.byteLength(queue[0] ?? "")) / 2);
    await ingest("demo", of(room));
    assert.ok(Buffer.byteLength(queue[1] ?? "") > MESSAGE_BYTES - 2);
    await assert.rejects(ingest("demo", of(room + 1)), { code: "event-too-large" });
  });

  it("has only characters on the queue that the queue takes", async () => {
    const { ingest, queue } = setUp();
    // https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html
    const allowed = /^[\t\n\r\x20-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]*$/u;
    const text = fc.oneof(
      fc.string({ unit: "binary" }),
      fc.constantFrom("\ufffe", "a\uffffb", "\0", "\u0007", "\ud800", "\u{1f600}"),
    );
    await fc.assert(
      fc.asyncProperty(text, text, async (path, name) => {
        const event = { ...EVENT, Meta: { Path: path, [`m${name}`]: name } };
        await ingest("demo", JSON.stringify({ event }));
        const body = queue.at(-1) ?? "";
        assert.match(body, allowed);
        assert.deepEqual((JSON.parse(body) as { event: unknown }).event, event);
      }),
    );
  });

  it("is either queued or refused with a code, whatever its body is", async () => {
    const { ingest, queue } = setUp();
    const json = fc.dictionary(fc.constantFrom("id", "api_id", "event", "Type", "Meta"), fc.jsonValue());
    const body = fc.oneof(
      fc.string({ unit: "binary" }),
      fc.json(),
      json.map((value) => JSON.stringify(value)),
    );
    await fc.assert(
      fc.asyncProperty(body, async (given) => {
        const before = queue.length;
        try {
          await ingest("demo", given);
          assert.equal(queue.length, before + 1);
        } catch (error) {
          assert.ok(error instanceof AppError, String(error));
          assert.equal(queue.length, before);
        }
      }),
    );
  });
});

describe("the live release", () => {
  it("is asked of memory, and of the store only for an API that memory does not know", async () => {
    const { ingest, asked } = setUp();
    await ingest("demo", JSON.stringify(EVENT));
    assert.deepEqual(asked, [false]);
    await assert.rejects(ingest("nobody", JSON.stringify(EVENT)), { code: "api-unknown" });
    assert.deepEqual(asked, [false, false, true]);
  });

  it("knows an API from the moment it is live", async () => {
    const versions = new Map([
      ["v1", releaseOf("demo")],
      ["v2", releaseOf("demo", "new")],
    ]);
    let live: string | undefined;
    const reads: string[] = [];
    const { ingest } = setUp({
      release: createReleaseReader({
        liveVersion: async () => live,
        async read(version) {
          reads.push(version);
          return versions.get(version) ?? releaseOf();
        },
      }),
    });
    const post = (apiId: string) => ingest(apiId, JSON.stringify(EVENT));
    await assert.rejects(post("demo"), { code: "api-unknown" });
    live = "v1";
    await post("demo");
    await assert.rejects(post("new"), { code: "api-unknown" });
    live = "v2";
    await post("demo");
    await post("new");
    await post("demo");
    assert.deepEqual(reads, ["v1", "v2"], "each version is read once");
  });
});
