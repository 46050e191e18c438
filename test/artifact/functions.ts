import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { PutObjectCommand } from "@aws-sdk/client-s3";
import { ReceiveMessageCommand } from "@aws-sdk/client-sqs";
import { GetCommand } from "@aws-sdk/lib-dynamodb";
import { createRedaction } from "../../lib/history/redact.ts";
import { itemsOf, textsInBucket } from "../helpers/history-table.ts";
import { batch, eventRequest, longPath, type World } from "./world.ts";

export function functionSuite(world: () => World): void {
  describe("the packaged functions", () => {
    const fact = (message: string, id: string) =>
      world()
        .deployed("consumer")
        .line((line) => line.includes(`"message":"${message}"`) && line.includes(`"event_id":"${id}"`));
    const done = (id: string) => fact("event done", id);
    const tags = async (key: string) => (await world().row(key))?.session?.tags;
    const post = async (authorization: string | undefined, id: string, key: string) =>
      (await world()
        .container("ingest")
        .invoke(
          eventRequest(
            { ...(authorization && { authorization }) },
            JSON.stringify({ id, event: { Type: "KeyExpired", Meta: { Key: key } } }),
          ),
        )) as { statusCode: number; headers: Record<string, string>; body: string };

    it("make a release of an upload when S3 wakes the releaser, and not again for the release itself", async () => {
      const report = (await world().wake(await world().upload("one"))) as { result: string; version: string };
      assert.equal(report.result, "live");
      const Key = { pk: "release" };
      const { Item } = await world().clients.dynamo.send(
        new GetCommand({ TableName: world().ref("StateTable"), Key }),
      );
      assert.equal(Item?.version, report.version);
      assert.equal(await world().wake([`releases/${report.version}.json`]), null);
    });

    it("take an event with the deployment's token only, and run it from ingest to the table", async () => {
      const key = world().createKey();
      const { secret } = world().gateway;
      for (const wrong of [undefined, "Bearer", `Bearer ${secret}x`]) {
        const refused = await post(wrong, "e-refused", key);
        assert.deepEqual([refused.statusCode, refused.headers["www-authenticate"]], [401, "Bearer"]);
        assert.equal((JSON.parse(refused.body) as { error: { code: string } }).error.code, "token-invalid");
      }
      assert.equal((await post(`Bearer ${secret}`, "e1", key)).statusCode, 202);
      await done("e1");
      assert.deepEqual(await tags(key), ["one"]);
    });

    it("run the next batch in the same container, with what it has loaded", async () => {
      const key = world().createKey();
      await world().send([
        { id: "e2", Type: "KeyExpired", Key: key },
        { id: "e3", Type: "QuotaExceeded", Key: key },
      ]);
      await Promise.all([done("e2"), done("e3")]);
      assert.deepEqual(await tags(key), ["one"]);
      const { lines } = world().deployed("consumer");
      assert.equal(lines.filter((line) => line.includes('"release loaded"')).length, 1);
      assert.ok(lines.some((line) => line.includes("stored one, with a value")));
    });

    it("run a new release with the very next batch", async () => {
      await world().wake(await world().upload("two"));
      const key = world().createKey();
      await world().send([{ id: "e4", Type: "KeyExpired", Key: key }]);
      await done("e4");
      assert.deepEqual(await tags(key), ["two"]);
    });

    it("refuse a broken upload, and go on with the release before", async () => {
      const Key = "handlers/marker.js";
      const Bucket = world().ref("FilesBucket");
      await world().clients.s3.send(new PutObjectCommand({ Bucket, Key, Body: "var marker = (;" }));
      const report = (await world().wake([Key])) as { result: string; errors: { file: string }[] };
      assert.deepEqual([report.result, report.errors[0]?.file], ["refused", Key]);
      const key = world().createKey();
      await world().send([{ id: "e9", Type: "KeyExpired", Key: key }]);
      await done("e9");
      assert.deepEqual(await tags(key), ["two"]);
    });

    it("hand back, of a batch, the event whose handler failed, and no other", async () => {
      const key = world().createKey();
      await world().send([
        { id: "e5", Type: "KeyExpired", Key: key },
        { id: "e6", Type: "AuthFailure", Key: key },
        { id: "e7", Type: "HostUp", Key: key },
      ]);
      const answers = await Promise.all(["e5", "e6", "e7"].map((id) => world().answerTo(id)));
      for (const { ids, failed } of answers) assert.deepEqual(failed, ids.includes("e6") ? ["e6"] : []);
      assert.match(await fact("handler failed", "e6"), /broken on purpose/);
      assert.deepEqual(await tags(key), ["two"]);
    });

    it("record an event that failed in the history, without its key", async () => {
      const { clients, ref, gateway } = world();
      const key = world().createKey();
      const find = async (id: string) => {
        await world().send([{ id, Type: "AuthFailure", Key: key, Path: longPath() }]);
        await world().answerTo(id);
        const items = await itemsOf(clients.dynamoClient, ref("HistoryTable"));
        return items.some(({ pk }) => pk?.S === `e#${id}`);
      };
      // What is not written within 300 ms is dropped: a busy machine may need another event.
      let nth = 0;
      while (!(await find(`e12-${nth}`)) && nth < 5) nth += 1;
      const items = await itemsOf(clients.dynamoClient, ref("HistoryTable"));
      const objects = await textsInBucket(clients.s3, ref("HistoryBucket"));
      const keyRef = createRedaction(gateway.secret).keyRef(key);
      const facts = (id: string) => {
        const item = items.find(({ pk }) => pk?.S === `e#${id}`) ?? assert.fail(`${id} is not there`);
        const { outcome, type, handlers } = JSON.parse(item.summary?.S ?? "");
        return [outcome, type, handlers, item.object !== undefined];
      };
      assert.deepEqual(facts("e6"), ["failed", "AuthFailure", ["breaker"], false]);
      assert.deepEqual(facts(`e12-${nth}`), ["failed", "AuthFailure", ["breaker"], true]);
      const [text = ""] = Object.values(objects);
      assert.ok(text.includes(keyRef) && text.includes("broken on purpose") && !text.includes(key));
    });

    it("try a webhook within the address policy, and count events for one line", async () => {
      const key = world().createKey();
      await world().send([
        { id: "e10", Type: "VersionFailure", Key: key },
        { id: "e11", Type: "VersionFailure", Key: key },
      ]);
      assert.match(await fact("webhook failed", "e10"), /127\.0\.0\.1 is refused: loopback address/);
      const lines: { coalesced: { Count: number } }[] = [];
      const { deployed } = world();
      while (lines.reduce((sum, { coalesced }) => sum + coalesced.Count, 0) < 2) {
        const known = lines.length;
        let nth = 0;
        const next = (line: string) => line.includes('"message":"log handler"') && nth++ === known;
        lines.push(JSON.parse(await deployed("consumer").line(next)));
      }
    });

    it("put the sessions of a batch in one call, and its ledger entries in one", async () => {
      const keys = [world().createKey(), world().createKey()];
      const Records = () => keys.flatMap((Key) => batch({ Type: "KeyExpired", Key }).Records);
      for (const _ of ["the sessions come from the gateway", "and are in the table"])
        assert.deepEqual(await world().container("consumer").invoke({ Records: Records() }), {
          batchItemFailures: [],
        });
      const asked = world()
        .deployed("consumer")
        .gate.asked.map(({ action }) => action);
      assert.ok(asked.includes("dynamodb:PartiQLUpdate") && asked.includes("dynamodb:PartiQLInsert"));
      for (const key of keys) assert.equal((await tags(key))?.at(-1), "two");
    });

    it("send what can never succeed to the dead letters", async () => {
      const { clients, ref } = world();
      await world().send([{ id: "e8", Type: "", Key: "k4" }]);
      const { Messages } = await clients.sqs.send(
        new ReceiveMessageCommand({
          QueueUrl: ref("DeadLettersQueue"),
          WaitTimeSeconds: 20,
          MessageAttributeNames: ["All"],
        }),
      );
      assert.equal(Messages?.[0]?.MessageAttributes?.reason?.StringValue, "event-invalid");
    });

    it("log one JSON object a line, and never the token", () => {
      for (const { lines } of world().functions.values()) {
        for (const line of lines) {
          assert.doesNotThrow(() => JSON.parse(line), line);
          assert.ok(!line.includes(world().gateway.secret));
        }
      }
      assert.deepEqual(world().errors, []);
    });
  });
}
