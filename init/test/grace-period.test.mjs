import assert from "node:assert/strict";
import { test } from "node:test";
import { runHandler } from "gatehook/test";

const event = { Type: "KeyExpired", Meta: { Key: "a-key" } };
const access_rights = { orders: { api_id: "orders", api_name: "Orders" } };

test("a key that expired works for one more day", async () => {
  const now = Math.floor(Date.now() / 1000);
  const { outcome, sessions } = await runHandler("handlers/grace-period.js", {
    event,
    sessions: { "a-key": { expires: now - 60, access_rights } },
  });
  assert.equal(outcome, "done");
  assert.ok(sessions["a-key"].expires >= now + 86400);
});

test("but only once", async () => {
  const session = { expires: 1000, access_rights, meta_data: { grace_period: "used" } };
  const { sessions } = await runHandler("handlers/grace-period.js", {
    event,
    sessions: { "a-key": session },
  });
  assert.deepEqual(sessions["a-key"], session);
});
