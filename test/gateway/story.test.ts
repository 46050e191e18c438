// Beside a gateway, over the real protocols: what a user would meet. TYK_GATEWAY_URL names a running one, as in
// transcripts.test.ts.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { type Beside, ORG, runningGateway, startBeside, tagsOf, until } from "./beside.ts";

const running = runningGateway();

for (const hashKeyFunction of running ? [""] : ["", "murmur64"])
  describe(`beside a gateway ${hashKeyFunction && `that hashes keys with ${hashKeyFunction}`}`, () => {
    let beside: Beside;
    let serial = 0;
    before(async () => {
      beside = await startBeside({ hashKeys: hashKeyFunction !== "", hashKeyFunction, running });
    });
    after(() => beside.close());

    const admin = (method: string, key: string, session?: object) =>
      beside.admin(method, key, session, method === "PUT" ? "?suppress_reset=1" : "");
    function create(): Promise<string> {
      serial += 1;
      return beside.create(`${ORG}k${serial}`);
    }

    it("a handler's change of a key that only the gateway had arrives there, with nobody importing anything", async () => {
      const key = await create();
      await beside.send("KeyExpired", key);
      const session = await until(
        () => admin("GET", key),
        (found) => tagsOf(found).includes("seen"),
      );
      assert.equal(session?.rate, 100);
      assert.equal((await beside.stack.session(key))?.rate, 100, "and the table has a copy");
    });

    it("a key that was revoked stays revoked, however much it is used", async () => {
      const key = await create();
      await beside.send("KeyExpired", key);
      await until(
        () => admin("GET", key),
        (found) => tagsOf(found).includes("seen"),
      );
      await admin("DELETE", key);
      for (let nth = 0; nth < 3; nth += 1) {
        assert.equal(await beside.use(key), 403);
        await beside.send("AuthFailure", key);
      }
      // What the handlers made of the copy is refused, and the row becomes a tombstone.
      await until(
        () => beside.stack.session(key),
        (session) => session === undefined,
      );
      assert.equal(await beside.use(key), 403);
      assert.equal(await admin("GET", key), undefined);
      await beside.send("AuthFailure", key);
      assert.equal(await beside.use(key), 403);
    });

    it("a key that was blocked stays blocked, and an admin's edits stay", async () => {
      const key = await create();
      await beside.send("KeyExpired", key);
      const session = await until(
        () => admin("GET", key),
        (found) => tagsOf(found).includes("seen"),
      );
      await admin("PUT", key, { ...session, is_inactive: true, rate: 7, alias: "mine", tags: ["admin"] });
      await beside.send("KeyExpired", key);
      const found = await until(
        () => admin("GET", key),
        (there) => tagsOf(there).includes("seen"),
      );
      assert.deepEqual([found?.is_inactive, found?.rate, found?.alias], [true, 7, "mine"]);
      assert.equal(await beside.use(key), 403);
    });

    it("a handler's removal of a key arrives there", async () => {
      const key = await create();
      await beside.send("QuotaExceeded", key);
      await until(
        () => admin("GET", key),
        (found) => found === undefined,
      );
      assert.equal(await beside.use(key), 403);
    });

    it("a custom key is changed and removed by the short name that clients present too", async () => {
      // The second one is read together with its batch.
      for (const name of ["custom01", "custom02"]) {
        const key = await beside.create(name);
        await beside.send("KeyExpired", name);
        await until(
          () => admin("GET", key),
          (found) => tagsOf(found).includes("seen"),
        );
        assert.equal(await beside.use(name), 200);
        await beside.send("QuotaExceeded", name);
        await until(
          () => admin("GET", key),
          (found) => found === undefined,
        );
      }
    });

    it("the gateway's own events keep the copy as it has it, with no gateway.json", async () => {
      const name = `${ORG}again`;
      const key = await beside.create(name);
      await beside.send("KeyExpired", key);
      const session = await until(
        () => admin("GET", key),
        (found) => tagsOf(found).includes("seen"),
      );
      await admin("PUT", key, { ...session, alias: "renamed" });
      await beside.send("TokenUpdated", key, "gateway");
      await until(
        () => beside.stack.session(key),
        (copy) => copy?.alias === "renamed",
      );
      await admin("DELETE", key);
      await beside.send("TokenDeleted", key, "gateway");
      await until(
        () => beside.stack.session(key),
        (copy) => copy === undefined,
      );
      await beside.create(name);
      await beside.send("TokenCreated", key, "gateway");
      await until(
        () => beside.stack.session(key),
        (copy) => copy !== undefined,
      );
    });

    it("a key that nobody has gets no row by the gateway's events", async () => {
      const key = `${ORG}never`;
      await beside.send("TokenCreated", key, "gateway");
      assert.equal(await beside.stack.session(key), undefined);
    });
  });
