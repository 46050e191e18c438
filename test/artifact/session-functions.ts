import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ReceiveMessageCommand } from "@aws-sdk/client-sqs";
import { CANARY_ORG } from "../../lib/gateway/canary.ts";
import { keyDigest } from "../../lib/gateway/key-digest.ts";
import type { Change } from "../../lib/sessions/item.ts";
import type { Session } from "../../lib/sessions/session.ts";
import type { LocalFunction } from "../../local/lambda/lambda.ts";
import { API, ORG } from "./files.ts";
import { batch, SESSION, type World } from "./world.ts";

interface Reply {
  statusCode: number;
  body: string;
}

/** By its default name. */
const CANARY = `${CANARY_ORG}gatehook-canary`;

/** A change of ours that is not known to be at the gateway. */
const pending = (base: Session | null): Change => ({ base, since: Date.now() });

export function sessionSuite(world: () => World): void {
  describe("the packaged functions around sessions", () => {
    const ask = async (
      routeKey: string,
      key: string,
      body?: string,
      sessions: Pick<LocalFunction, "invoke"> = world().container("sessions"),
    ) =>
      (await sessions.invoke({
        routeKey,
        pathParameters: { key },
        queryStringParameters: key ? {} : { org_id: "org" },
        headers: {},
        body,
      })) as Reply;

    it("keep, find and remove sessions over HTTP, with a gateway and without one", async () => {
      const alone = await world().deployed("sessions").start({ GATEWAY_URL: "" });
      const session = { org_id: "org", access_rights: { [API]: { api_id: API } } };
      for (const [key, one] of [["s1"], ["s2", alone]] as const) {
        const put = await ask("PUT /sessions/{key+}", key, JSON.stringify(session), one);
        assert.deepEqual([put.statusCode, put.body.includes('"pending":true')], [201, one !== alone]);
        assert.equal((await ask("GET /sessions/{key+}", key, undefined, one)).statusCode, 200);
        assert.match((await ask("GET /sessions", "", undefined, one)).body, new RegExp(`"key":"${key}"`));
        assert.equal((await ask("DELETE /sessions/{key+}", key, undefined, one)).statusCode, 200);
        assert.equal((await ask("GET /sessions/{key+}", key, undefined, one)).statusCode, 404);
      }
      await alone.close();
    });

    it("have a session looked after that a person does not find at the gateway any more", async () => {
      const key = `${ORG}not-there`;
      await world().store(key, SESSION, { created: "before" });
      const fresh = await world().deployed("sessions").start({ GATEWAY_READ: "fresh" });
      assert.equal((await ask("GET /sessions/{key+}", key, undefined, fresh)).statusCode, 200);
      await fresh.close();
      await settled(key, false);
      assert.equal((await world().row(key))?.gateway?.gone, true);
    });

    /** The function's word that this key is settled; `pending` as long as the gateway's cache may undo it. */
    const settled = (key: string, isPending: boolean) =>
      world()
        .deployed("gateway-sync")
        .line((line) => {
          const isOfKey = line.includes('"message":"session settled"') && line.includes(keyDigest(key));
          return isOfKey && line.includes(`"pending":${isPending}`);
        });

    it("carry a handler's change to the gateway that alone had the key, and look at it again", async () => {
      const { gateway, createKey, send, row } = world();
      const key = createKey();
      await send([{ id: "g1", Type: "KeyExpired", Key: key }]);
      await settled(key, true);
      assert.deepEqual(gateway.read(key)?.tags, ["two"]);
      await settled(key, false);
      assert.equal((await row(key))?.gateway?.change, undefined);
    });

    it("keep in a queue what does not hold, with neither the key nor the session", async () => {
      const { createKey, store, ref, clients } = world();
      const key = createKey();
      await store(key, { ...SESSION, tags: ["lost"] }, { created: "another", change: pending(SESSION) });
      const QueueUrl = ref("SyncDeadLettersQueue");
      const { Messages } = await clients.sqs.send(
        new ReceiveMessageCommand({ QueueUrl, WaitTimeSeconds: 20 }),
      );
      const body = Messages?.[0]?.Body ?? "";
      assert.match(body, /the gateway has another key of this name/);
      for (const hidden of [key, "lost"]) assert.ok(!body.includes(hidden));
    });

    it("end a session whose key the gateway is proven to have deleted, by a canary that they make", async () => {
      const { gateway, createKey, store, send, row } = world();
      const key = createKey();
      await store(key, SESSION, { created: String(gateway.read(key)?.date_created) });
      gateway.remove(key, ORG);
      await send([{ id: "g2", Type: "TokenDeleted", Key: key, api: "gateway" }]);
      await settled(key, false);
      const { session, gateway: state } = (await row(key)) ?? {};
      assert.deepEqual([session, state?.gone], [undefined, true]);
      assert.equal(gateway.read(CANARY)?.is_inactive, true);
    });

    it("remove the item of a key that neither side has", async () => {
      const key = `${ORG}neither`;
      await world().store(key, undefined, { change: pending(null) });
      await settled(key, false);
      assert.equal(await world().row(key), undefined);
    });

    it("find what changed at the gateway in silence, when the schedule calls", async () => {
      const { gateway, createKey, store, container, row } = world();
      const key = createKey();
      await store(key, { ...SESSION, alias: "old" }, { created: String(gateway.read(key)?.date_created) });
      await container("reconcile").invoke({});
      await settled(key, false);
      assert.equal((await row(key))?.session?.alias, gateway.read(key)?.alias);
    });

    it("leave their sessions as they are while the gateway looks emptied", async () => {
      const { gateway, store, container, deployed, row } = world();
      const key = `${ORG}lost`;
      const canary = gateway.read(CANARY);
      assert.ok(canary);
      await store(key, SESSION, { created: "before" });
      gateway.remove(CANARY, CANARY_ORG);
      await container("reconcile").invoke({});
      gateway.create(CANARY, canary);
      await deployed("reconcile").line((line) => line.includes('"end":"emptied"'));
      const { session, gateway: state } = (await row(key)) ?? {};
      assert.deepEqual([session, state], [SESSION, { created: "before" }]);
    });

    it("remove a session themselves where no gateway owns it", async () => {
      const key = `${ORG}alone`;
      await world().store(key, SESSION);
      const consumer = await world().deployed("consumer").start({ GATEWAY_URL: "" });
      assert.deepEqual(await consumer.invoke(batch({ Type: "HostDown", Key: key })), {
        batchItemFailures: [],
      });
      await consumer.close();
      assert.equal(await world().row(key), undefined);
    });
  });
}
