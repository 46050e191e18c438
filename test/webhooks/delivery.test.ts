// Webhooks from a definition to their targets: real tables, a queue and a clock of the test, processes that die.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { EgressRequest } from "../../lib/egress/client.ts";
import { AppError } from "../../lib/errors.ts";
import { answer, createHookWorld, type HookWorldOptions } from "../helpers/hook-world.ts";
import { createRandom } from "../helpers/random.ts";
import { useServices } from "../helpers/services.ts";

const services = useServices();

const hook = (meta: object = {}) => ({
  handler_name: "eh_web_hook_handler",
  handler_meta: {
    method: "POST",
    target_path: "https://in.example/hooks",
    gatehook: { json: true },
    ...meta,
  },
});

async function worldOf(options: Partial<HookWorldOptions> = {}) {
  const env = await services.newResources("hooks");
  return createHookWorld({
    dynamo: services.clients.dynamoClient,
    env,
    events: { KeyExpired: [hook()] },
    ...options,
  });
}

const idOf = ({ headers }: EgressRequest) => headers.find(([name]) => name === "webhook-id")?.[1] ?? "";
const textOf = (body: string | Uint8Array) => Buffer.from(body).toString();
const keyIn = ({ body }: EgressRequest) => (JSON.parse(textOf(body)) as { key: string }).key;
const HOUR = 3_600_000;

describe("a webhook", () => {
  it("is sent once its event is there, beside the scripts of the event, and not again with it", async () => {
    const requests: EgressRequest[] = [];
    let runs = 0;
    const { publish, settle, tally } = await worldOf({
      events: {
        KeyExpired: [
          { handler_name: "eh_dynamic_handler", handler_meta: { name: "fails", path: "f.js" } },
          hook({ header_map: { "X-Team": "payments" } }),
        ],
      },
      scripts: {
        fails() {
          runs += 1;
          if (runs < 3) throw new Error("not yet");
        },
      },
      target: (request) => {
        requests.push(request);
        return answer(204);
      },
    });
    publish("e1", { Key: "k1", Message: "m", Path: "/p", Origin: "o" });
    publish("e1", { Key: "k1", Message: "m", Path: "/p", Origin: "o" });
    await settle();
    assert.equal(runs, 3, "the script has its own attempts");
    assert.equal(requests.length, 1);
    const [{ url, method, body, headers } = { url: "", method: "", body: "", headers: [] }] = requests;
    assert.deepEqual([method, url], ["POST", "https://in.example/hooks"]);
    assert.deepEqual(JSON.parse(textOf(body)), {
      event: "KeyExpired",
      message: "m",
      path: "/p",
      origin: "o",
      key: "k1",
    });
    assert.deepEqual(
      headers.map(([name]) => name),
      ["User-Agent", "Content-Type", "X-Team", "webhook-id", "webhook-timestamp", "Accept-Encoding"],
    );
    assert.equal(tally.WebhooksDelivered, 1);
  });

  it("comes again for hours, under one id, until its target takes it, whatever dies meanwhile", async () => {
    const random = createRandom(7);
    const began = { at: 0 };
    const ids = new Map<string, Set<string>>();
    const taken = new Map<string, number>();
    const { publish, settle, now, put, letters, world, tally } = await worldOf({
      events: { KeyExpired: [hook(), hook({ target_path: "https://other.example/" })] },
      random,
      deaths: 0.02,
      target(request) {
        const name = `${request.url} ${keyIn(request)}`;
        ids.set(name, (ids.get(name) ?? new Set()).add(idOf(request)));
        const isUp = now() - began.at > 5 * HOUR;
        const fate = random();
        if (!isUp || fate < 0.3) {
          if (fate < 0.1) throw new AppError("http-failed", "in.example: other side closed");
          if (fate < 0.2) return answer(429, { "Retry-After": ["7"] }, "later");
          // Taken, and the answer says otherwise.
          if (fate < 0.25) taken.set(name, (taken.get(name) ?? 0) + 1);
          return answer(503, {}, "no");
        }
        taken.set(name, (taken.get(name) ?? 0) + 1);
        return answer(200);
      },
    });
    began.at = now();
    const keys = Array.from({ length: 40 }, (_, nth) => `k${nth}`);
    for (const key of keys) publish(key, { Key: key });
    await settle();
    // Few have used up their attempts while the targets were down: a person sends them again.
    for (const { body, attributes = {} } of letters.splice(0)) {
      const { event_id, api_id, task } = attributes;
      put({ body, attributes: { event_id, api_id, task } });
    }
    await settle();
    assert(world.killed > 20, `only ${world.killed} processes died`);
    assert(now() - began.at > 5 * HOUR, "the targets were down for hours");
    const all = keys.flatMap((key) => [`https://in.example/hooks ${key}`, `https://other.example/ ${key}`]);
    assert.deepEqual(letters, []);
    assert.deepEqual([...taken.keys()].sort(), all.sort(), "each has arrived");
    assert.deepEqual(
      [...ids.values()].filter(({ size }) => size !== 1),
      [],
      "each under one id",
    );
    assert.equal(new Set([...ids.values()].flatMap((each) => [...each])).size, all.length, "of its own");
    assert((tally.WebhooksPostponed ?? 0) > 0, "a target that is down is not asked for each of them");
  });

  it("becomes a dead letter after its last attempt, with the status and the answer, and comes back from it", async () => {
    const status = { is: 500 };
    const requests: EgressRequest[] = [];
    const { publish, settle, letters, put, now, tally } = await worldOf({
      target(request) {
        requests.push(request);
        return answer(status.is, {}, `no database\u0000${"x".repeat(3_000)}`);
      },
    });
    const began = now();
    publish("e1", { Key: "k1" });
    await settle();
    const [{ attributes = {}, body } = { body: "" }] = letters;
    assert.equal(letters.length, 1);
    assert.equal(attributes.reason, "webhook-failed");
    assert.match(attributes.handler ?? "", /^webhook:in\.example\/[0-9a-f]{8}$/);
    assert.equal(attributes.error, "the target answered 500, at attempt 11");
    assert(attributes.answer?.startsWith("no database\ufffdxxx"));
    assert.equal(attributes.answer?.length, 1_024);
    assert.equal(requests.length, 11);
    assert(now() - began > 2 * HOUR);
    assert.equal(tally["DeadLetters webhook-failed"], 1);
    const { event_id, api_id, task } = attributes;
    status.is = 200;
    put({ body, attributes: { event_id, api_id, task } });
    await settle();
    assert.equal(requests.length, 12);
    assert.equal(new Set(requests.map(idOf)).size, 1);
    assert.equal(letters.length, 1);
  });

  it("does not wait for another target that never answers", async () => {
    const seen: string[] = [];
    const { publish, settle, tally, now } = await worldOf({
      events: { KeyExpired: [hook(), hook({ target_path: "https://dead.example/" })] },
      target({ url, ...request }) {
        if (url.includes("dead")) throw new AppError("http-failed", "dead.example: no answer");
        seen.push(keyIn({ url, ...request }));
        return answer(200);
      },
    });
    const began = now();
    for (let nth = 0; nth < 50; nth += 1) publish(`e${nth}`, { Key: `k${nth}` });
    await settle({ consumers: 1, until: () => seen.length === 50 });
    assert(now() - began < 60_000, "all of the other target's were sent in the first minute");
    assert((tally.WebhooksFailed ?? 0) < 50, "not every event asks the dead one");
  });

  it("is switched off by 410, with one dead letter, until a release changes its entry", async () => {
    const env = await services.newResources("off");
    const requests: string[] = [];
    const target = (request: EgressRequest) => {
      requests.push(request.url);
      return answer(requests.length === 1 ? 410 : 200);
    };
    const first = await worldOf({ env, target });
    first.publish("e1", { Key: "k1" });
    await first.settle();
    first.publish("e2", { Key: "k2" });
    await first.settle();
    assert.equal(requests.length, 1);
    assert.equal(first.tally.WebhooksSkipped, 1);
    assert.deepEqual(
      first.letters.map(({ attributes }) => [attributes?.reason, attributes?.event_id]),
      [["webhook-gone", "e1"]],
    );
    assert.equal(
      first.lines.filter(({ level, message }) => level === "error" && /switched off/.test(message)).length,
      1,
    );
    const events = { KeyExpired: [hook({ header_map: { "X-New": "1" } })] };
    const changed = await worldOf({ env, target, events });
    changed.publish("e3", { Key: "k3" });
    await changed.settle();
    assert.equal(requests.length, 2);
  });

  it("of an event that it has no body for is a dead letter, and no request", async () => {
    const { publish, settle, letters } = await worldOf({
      events: { TokenCreated: [hook({ gatehook: true })], KeyExpired: [hook({ template_path: "a.json" })] },
      templates: [{ path: "a.json", text: "{{range 2000000}}xxxxxxxxxxxxxxxx{{end}}" }],
    });
    publish("e1", { type: "TokenCreated", Key: "k" });
    publish("e2", { Key: "k" });
    await settle();
    assert.deepEqual(
      letters.map(({ attributes }) => attributes?.reason),
      ["template-failed", "template-failed"],
    );
    assert.match(letters.map(({ attributes }) => attributes?.error).join(), /a\.json:1:.*more than/);
  });

  it("of a definition that is no more is a dead letter", async () => {
    const { put, settle, letters } = await worldOf();
    const event = { Type: "KeyExpired", Meta: {}, TimeStamp: "" };
    const task = JSON.stringify({ kind: "webhook", entry: "webhook:gone" });
    put({ body: JSON.stringify({ id: "e1", api_id: "demo", event }), attributes: { task } });
    put({ body: JSON.stringify({ id: "e2", api_id: "demo", event }), attributes: { task: "{}" } });
    await settle();
    assert.deepEqual(letters.map(({ attributes }) => attributes?.reason).sort(), [
      "event-invalid",
      "webhook-unknown",
    ]);
  });
});

describe("a cool-down", () => {
  const events = { KeyExpired: [hook({ event_timeout: 600 })] };

  it("leaves equal bodies out once one was delivered, by whatever consumer, and others not", async () => {
    const taken: string[] = [];
    const { publish, settle, pass, tally } = await worldOf({
      events,
      target(request) {
        taken.push(keyIn(request));
        return answer(200);
      },
    });
    for (let nth = 0; nth < 30; nth += 1) publish(`a${nth}`, { Key: nth % 3 === 0 ? "b" : "a" });
    await settle();
    assert.deepEqual(taken.sort(), ["a", "b"]);
    assert.equal(tally.WebhooksCooled, 28);
    pass(601_000);
    publish("late", { Key: "a" });
    await settle();
    assert.deepEqual(taken.sort(), ["a", "a", "b"]);
  });

  it("is not begun by a delivery that failed", async () => {
    let asked = 0;
    const { publish, settle, letters } = await worldOf({
      events,
      target: () => answer(++asked < 6 ? 500 : 200),
    });
    for (let nth = 0; nth < 5; nth += 1) publish(`e${nth}`, { Key: "a" });
    await settle();
    assert.equal(asked, 6);
    assert.deepEqual(letters, []);
  });

  it("holds under deaths: one webhook arrives in it, perhaps twice under its one id", async () => {
    const random = createRandom(11);
    const ids: string[] = [];
    const { publish, settle, world } = await worldOf({
      events: { KeyExpired: [hook({ event_timeout: 86_400 })] },
      random,
      deaths: 0.05,
      target(request) {
        if (random() < 0.3) return answer(500);
        ids.push(idOf(request));
        return answer(200);
      },
    });
    for (let nth = 0; nth < 60; nth += 1) publish(`e${nth}`, { Key: "a" });
    await settle();
    assert(world.killed > 10, `only ${world.killed} processes died`);
    assert.equal(new Set(ids).size, 1);
  });

  /** The first process dies with the answer 200 in its hand, so that nothing is noted of what was delivered. */
  async function worldOfOneUnnoted(isUp: (hoursLater: number, givenUp: number) => boolean) {
    const taken: string[] = [];
    const world = await worldOf({
      random: createRandom(5),
      events: { KeyExpired: [hook({ event_timeout: 7 * 86_400 })] },
      target(request) {
        if (world.world.killed === 0) world.world.deaths = DIES_AFTER_ITS_CALL;
        const hoursLater = (world.now() - began) / HOUR;
        if (world.world.killed > 0 && !isUp(hoursLater, world.letters.length)) return answer(500);
        taken.push(idOf(request));
        return answer(200);
      },
    });
    const began = world.now();
    world.publish("first", { Key: "a" });
    await world.settle({ until: () => world.world.killed > 0 });
    world.world.deaths = 0;
    world.publish("second", { Key: "a" });
    return { ...world, taken };
  }

  it("holds when a delivery was not noted and the next one of it fails: another event is not sent", async () => {
    const { settle, taken, tally, letters } = await worldOfOneUnnoted((hours) => hours > 8);
    await settle();
    assert.equal(new Set(taken).size, 1, "one id");
    assert.deepEqual([taken.length, tally.WebhooksDelivered, tally.WebhooksCooled], [2, 1, 1]);
    assert.deepEqual(letters, []);
  });

  it("ends with a webhook that is given up: another event is sent then", async () => {
    const { settle, taken, tally, letters } = await worldOfOneUnnoted((_, givenUp) => givenUp > 0);
    await settle();
    assert.equal(new Set(taken).size, 2);
    assert.deepEqual(
      letters.map(({ attributes }) => attributes?.event_id),
      ["first"],
    );
    assert.equal(tally.WebhooksDelivered, 1);
  });
});

/** How likely a process dies so that each of its calls is made, and the one under way is its last. */
const DIES_AFTER_ITS_CALL = 3;
