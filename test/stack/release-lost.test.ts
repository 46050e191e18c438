import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { DeleteObjectCommand, ListObjectsV2Command } from "@aws-sdk/client-s3";
import { rollBack } from "../../lib/releases/rollback.ts";
import { startTestStack, type TestStack } from "../helpers/stack.ts";

describe("a stack whose bucket lost its releases, as a new bucket beside an old table", () => {
  let stack: TestStack;
  let first = "";
  before(async () => {
    stack = await startTestStack();
    first = (await stack.releases.liveVersion()) ?? "";
    for (const Key of await releaseKeys())
      await stack.clients.s3.send(new DeleteObjectCommand({ Bucket: stack.resources.FILES_BUCKET, Key }));
  });
  after(() => stack.close());

  async function releaseKeys(): Promise<string[]> {
    const { Contents = [] } = await stack.clients.s3.send(
      new ListObjectsV2Command({ Bucket: stack.resources.FILES_BUCKET, Prefix: "releases/" }),
    );
    return Contents.map(({ Key = "" }) => Key);
  }

  it("takes events again after the next upload of the same files", async () => {
    assert.deepEqual(await releaseKeys(), []);
    const id = "after-the-loss";
    const body = JSON.stringify({ id, event: { Type: "KeyExpired", Meta: { Key: "k" } } });
    assert.equal((await stack.post("demo", body)).status, 500);

    const report = await stack.release();
    assert.deepEqual([report.result, report.version], ["unchanged", first]);
    assert.deepEqual(await releaseKeys(), [`releases/${first}.json`]);
    assert.equal((await stack.post("demo", body)).status, 202);
    await stack.fact(({ message, fields }) => message === "event done" && fields.event_id === id);
  });

  it("is not rolled back to a release that is not there any more", async () => {
    const source = {
      path: "handlers/session-editor.js",
      text: "var sessionEditor = new TykJS.TykEventHandlers.NewEventHandler({});\nsessionEditor.NewHandler(function () {});",
    };
    await stack.releases.writeSource(source);
    const { version } = await stack.release();
    await stack.clients.s3.send(
      new DeleteObjectCommand({ Bucket: stack.resources.FILES_BUCKET, Key: `releases/${first}.json` }),
    );
    const pointer = await stack.releases.pointer();
    await assert.rejects(rollBack(stack.releases, undefined, Date.now), {
      code: "release-missing",
      message: new RegExp(`^release ${first} cannot go live again: there is no releases/${first}.json`),
    });
    assert.deepEqual([await stack.releases.pointer(), pointer.version], [pointer, version]);
  });
});
