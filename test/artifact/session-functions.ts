import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ReceiveMessageCommand } from "@aws-sdk/client-sqs";
import { API } from "./files.ts";
import type { World } from "./world.ts";

interface Reply {
  statusCode: number;
  body: string;
}

/** A session that was made, as the sessions table's stream tells of it. */
export const streamRecord = (key: string, SequenceNumber = "100") => ({
  eventName: "INSERT",
  dynamodb: {
    ApproximateCreationDateTime: Math.floor(Date.now() / 1000),
    SequenceNumber,
    Keys: { key: { S: key } },
    NewImage: {
      key: { S: key },
      version: { N: "1" },
      session: {
        M: { org_id: { S: "org" }, access_rights: { M: { [API]: { M: { api_id: { S: API } } } } } },
      },
    },
  },
});

export function sessionSuite(world: () => World): void {
  describe("the packaged functions around sessions", () => {
    const ask = async (routeKey: string, key: string, body?: string) =>
      (await world()
        .container("sessions")
        .invoke({
          routeKey,
          pathParameters: { key },
          queryStringParameters: key ? {} : { org_id: "org" },
          headers: {},
          body,
        })) as Reply;

    it("keep, find and remove sessions over HTTP", async () => {
      const session = { org_id: "org", access_rights: { [API]: { api_id: API } } };
      assert.equal((await ask("PUT /sessions/{key+}", "s1", JSON.stringify(session))).statusCode, 201);
      assert.equal((await ask("GET /sessions/{key+}", "s1")).statusCode, 200);
      assert.match((await ask("GET /sessions", "")).body, /"key":"s1"/);
      assert.equal((await ask("DELETE /sessions/{key+}", "s1")).statusCode, 200);
      assert.equal((await ask("GET /sessions/{key+}", "s1")).statusCode, 404);
    });

    it("carry a change to the gateway, with the secret that the template refers to", async () => {
      const batch = { Records: [streamRecord("carried")] };
      assert.deepEqual(await world().container("gateway-sync").invoke(batch), { batchItemFailures: [] });
      const { method, path, secret } = world().gateway.requests.at(-1) ?? {};
      assert.deepEqual([method, path, secret], ["PUT", "/tyk/keys/carried", world().secret]);
    });

    it("keep in a queue what the gateway refuses", async () => {
      const batch = { Records: [streamRecord("refused")] };
      assert.deepEqual(await world().container("gateway-sync").invoke(batch), { batchItemFailures: [] });
      const QueueUrl = world().ref("SyncDeadLettersQueue");
      const { Messages } = await world().clients.sqs.send(new ReceiveMessageCommand({ QueueUrl }));
      assert.match(Messages?.[0]?.Body ?? "", /not this one/);
    });

    it("set aside what the gateway does not take, and try it again when the schedule calls", async () => {
      const { spoilt, requests } = world().gateway;
      const container = await world().deployed("gateway-sync").start({ GATEWAY_RETRY_SECONDS: "0" });
      const done = { batchItemFailures: [] };
      const asked = () => requests.filter(({ path }) => path.endsWith("/spoilt")).length;
      spoilt.add("spoilt").add("left");
      const Records = [streamRecord("spoilt"), streamRecord("left"), streamRecord("fine")];
      assert.deepEqual(await container.invoke({ Records }), done);
      assert.equal(requests.at(-1)?.path, "/tyk/keys/fine");
      assert.deepEqual(await container.invoke({}), done);
      assert.equal(asked(), 2);
      assert.deepEqual(await container.invoke({ Records: [streamRecord("spoilt", "200")] }), done);
      assert.equal(asked(), 2, "a later change joins it");
      spoilt.delete("spoilt");
      assert.deepEqual(await container.invoke({}), done);
      assert.equal(asked(), 3);
      await container.invoke({});
      assert.equal(asked(), 3, "nothing is left of it");
      await container.close();
    });
  });
}
