import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ReceiveMessageCommand } from "@aws-sdk/client-sqs";
import { CANARY_ORG } from "../../lib/gateway/canary.ts";
import { shortKeyDigest } from "../../lib/gateway/key-digest.ts";
import { KEYS_ROUTE } from "../../lib/keys/api.ts";
import type { Change } from "../../lib/sessions/item.ts";
import type { Session } from "../../lib/sessions/session.ts";
import type { LocalFunction } from "../../local/lambda/lambda.ts";
import { ORG } from "./files.ts";
import { batch, SESSION, type World } from "./world.ts";

interface Reply {
  statusCode: number;
  body: string;
}

/** By its default name, as a gateway has it. */
export const CANARY = `${CANARY_ORG}gatehook-canary`;

const ALIAS = "by alias";

/** A change of ours that is not known to be at the gateway. */
const pending = (base: Session | null): Change => ({ base, since: Date.now() });

const ARN = "arn:aws:iam::123456789012:user/somebody";

export function sessionSuite(world: () => World): void {
  describe("the packaged functions around sessions", () => {
    /** The function's word that this key is settled; `pending` as long as the gateway's cache may undo it. */
    const settled = (key: string, isPending: boolean) =>
      world()
        .deployed("gateway-sync")
        .line((line) => {
          const isOfKey = line.includes('"message":"session settled"') && line.includes(shortKeyDigest(key));
          return isOfKey && line.includes(`"pending":${isPending}`);
        });

    /** One request to the sessions API, in one container. */
    async function ask(
      container: LocalFunction,
      routeKey: string,
      key: string,
      body?: Session,
      query: Record<string, string> = key ? {} : { org_id: ORG },
    ): Promise<Reply> {
      const answer = await container.invoke({
        routeKey,
        pathParameters: { key },
        queryStringParameters: query,
        headers: {},
        requestContext: { authorizer: { iam: { userArn: ARN } } },
        body: body && JSON.stringify(body),
      });
      return answer as Reply;
    }

    it("keep, find and remove sessions over HTTP, where no gateway owns them", async () => {
      const container = await world().deployed("sessions").start({ GATEWAY_URL: "" });
      const key = `${ORG}s1`;
      assert.equal(
        (await ask(container, "PUT /sessions/{key+}", key, { ...SESSION, alias: ALIAS })).statusCode,
        201,
      );
      assert.equal((await ask(container, "GET /sessions/{key+}", key)).statusCode, 200);
      assert.deepEqual((await world().row(key))?.changed_by, { by: "api", who: ARN });
      for (const query of [{ org_id: ORG }, { alias: ALIAS }])
        assert.match(
          (await ask(container, "GET /sessions", "", undefined, query)).body,
          new RegExp(`"key":"${key}"`),
        );
      assert.equal((await ask(container, "DELETE /sessions/{key+}", key)).statusCode, 200);
      assert.equal((await ask(container, "GET /sessions/{key+}", key)).statusCode, 404);
      await container.close();
    });

    it("speak the gateway's key API to whoever has its secret, where no gateway owns them", async () => {
      const secret = "a-secret-of-the-key-api";
      const container = await world()
        .deployed("sessions")
        .start({ GATEWAY_URL: "", KEYS_API_SECRET: secret });
      async function askKeys(method: string, path: string, body?: Session, given = secret): Promise<Reply> {
        const [name, query = ""] = path.split("?");
        const answer = await container.invoke({
          routeKey: KEYS_ROUTE,
          pathParameters: { path: name },
          queryStringParameters: Object.fromEntries(new URLSearchParams(query)),
          headers: { "x-tyk-authorization": given },
          requestContext: { http: { method } },
          body: body && JSON.stringify(body),
        });
        return answer as Reply;
      }
      assert.equal((await askKeys("POST", "keys/create", SESSION, "another")).statusCode, 403);
      const made = await askKeys("POST", "keys/create", { ...SESSION, basic_auth_data: { password: "pw" } });
      assert.equal(made.statusCode, 200);
      const { key } = JSON.parse(made.body) as { key: string };
      assert.match((await world().row(key))?.session?.basic_auth_data?.password ?? "", /^\$2b\$10\$/);
      assert.equal((await askKeys("PUT", `keys/${key}`, { ...SESSION, alias: "put" })).statusCode, 200);
      assert.match((await askKeys("GET", `keys/${key}`)).body, /"alias":"put"/);
      assert.ok((await askKeys("GET", `keys?filter=${ORG}`)).body.includes(key));
      assert.equal((await askKeys("DELETE", `keys/${key}`)).statusCode, 200);
      await container.close();
    });

    it("read and edit over HTTP what the gateway has", async () => {
      const { gateway, createKey, container } = world();
      const key = createKey();
      const edited = { ...SESSION, tags: ["by hand"] };
      const { statusCode, body } = await ask(container("sessions"), "PUT /sessions/{key+}", key, edited);
      assert.deepEqual([statusCode, (JSON.parse(body) as { pending: boolean }).pending], [200, true]);
      await settled(key, true);
      assert.deepEqual(gateway.read(key)?.tags, ["by hand"]);
    });

    it("have a key looked after that somebody asks for afresh and the gateway does not show", async () => {
      const key = `${ORG}unseen`;
      await world().store(key, SESSION, { created: "before" });
      const container = await world().deployed("sessions").start({ GATEWAY_READ: "fresh" });
      assert.equal((await ask(container, "GET /sessions/{key+}", key)).statusCode, 200);
      await container.close();
      await settled(key, false);
      assert.equal((await world().row(key))?.gateway?.gone, true);
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
