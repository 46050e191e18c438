// People's way to the sessions table, where a gateway owns the sessions.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { ORG, startBeside, tagsOf, until } from "./beside.ts";

const RIGHTS = { access_rights: { api1: { api_id: "api1", versions: ["Default"] } } };

describe("the sessions API beside a gateway", () => {
  let beside: Awaited<ReturnType<typeof startBeside>>;
  before(async () => {
    beside = await startBeside({ hashKeys: false, hashKeyFunction: "" });
  });
  after(() => beside.close());
  const gone = (key: string) =>
    until(
      () => beside.admin("GET", key),
      (found) => found === undefined,
    );

  it("gets a key that only the gateway has, and a missing one is missing", async () => {
    const key = await beside.create("read");
    const { status, body } = await beside.sessions("GET", `/${key}`);
    assert.deepEqual([status, body.rate, body.org_id], [200, 100, ORG]);
    assert.equal((await beside.stack.session(key))?.rate, 100, "the table has a copy");
    assert.equal((await beside.sessions("GET", `/${ORG}nobodys`)).status, 404);
  });

  it("puts a change that is carried to the gateway as far as it goes", async () => {
    const key = await beside.create("put");
    const { body } = await beside.sessions("GET", `/${key}`);
    await beside.admin("PUT", key, { ...body, alias: "an admin's" }, "?suppress_reset=1");
    const put = await beside.sessions("PUT", `/${key}?suppress_reset=1`, { ...body, tags: ["ours"] });
    assert.deepEqual([put.status, put.body.action, put.body.pending], [200, "modified", true]);
    const there = await until(
      () => beside.admin("GET", key),
      (found) => tagsOf(found).includes("ours"),
    );
    assert.equal(there?.alias, "an admin's");
  });

  it("puts with a new start of the quota, unless that is suppressed", async () => {
    const key = await beside.create("quota");
    assert.equal(await beside.use(key), 200);
    const { body } = await beside.sessions("GET", `/${key}`);
    assert.equal(body.quota_remaining, 999);
    await beside.sessions("PUT", `/${key}?suppress_reset=1`, { ...body, tags: ["first"] });
    const first = await until(
      () => beside.admin("GET", key),
      (found) => tagsOf(found).includes("first"),
    );
    assert.equal(first?.quota_remaining, 999);
    await beside.sessions("PUT", `/${key}`, { ...body, tags: ["second"] });
    const second = await until(
      () => beside.admin("GET", key),
      (found) => tagsOf(found).includes("second"),
    );
    assert.equal(second?.quota_remaining, 1_000);
  });

  it("deletes a key that only the gateway has, there too", async () => {
    const key = await beside.create("deleted");
    const deleted = await beside.sessions("DELETE", `/${key}`);
    assert.deepEqual([deleted.status, deleted.body.action, deleted.body.pending], [200, "deleted", true]);
    assert.equal((await beside.sessions("GET", `/${key}`)).status, 404, "before it is gone there");
    assert.equal((await beside.sessions("DELETE", `/${key}`)).status, 404);
    await gone(key);
    assert.equal(await beside.use(key), 403);
  });

  it("makes a key that neither has", async () => {
    const key = `${ORG}born`;
    const put = await beside.sessions("PUT", `/${key}`, { org_id: ORG, rate: 5, per: 1, ...RIGHTS });
    assert.deepEqual([put.status, put.body.pending], [201, true]);
    const there = await until(
      () => beside.admin("GET", key),
      (found) => found !== undefined,
    );
    assert.equal(there?.rate, 5);
  });

  it("takes a key that the gateway has deleted for a missing one, and makes none of that name", async () => {
    const key = await beside.create("revoked");
    await beside.sessions("GET", `/${key}`);
    await beside.admin("DELETE", key);
    await beside.send("KeyExpired", key);
    await until(
      () => beside.stack.session(key),
      (session) => session === undefined,
    );
    assert.equal((await beside.sessions("GET", `/${key}`)).status, 404);
    assert.equal((await beside.sessions("DELETE", `/${key}`)).status, 404);
    const put = await beside.sessions("PUT", `/${key}`, { org_id: ORG, ...RIGHTS });
    assert.deepEqual(
      [put.status, put.body.error],
      [409, { code: "session-gone", message: "the gateway has deleted this key" }],
    );
    const { body } = await beside.sessions("GET", `?org_id=${ORG}`);
    const listed = (body.sessions as { key: string }[]).map((session) => session.key);
    assert.ok(!listed.includes(key));
    assert.equal(await beside.admin("GET", key), undefined);
  });
});
