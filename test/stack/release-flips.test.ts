import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { GetQueueAttributesCommand, SendMessageBatchCommand } from "@aws-sdk/client-sqs";
import type { LogLine } from "../../cli/dev/log-lines.ts";
import type { ReleaseReport } from "../../lib/releases/report.ts";
import { rollBack } from "../../lib/releases/rollback.ts";
import type { SourceFile } from "../../lib/releases/sources.ts";
import type { Session } from "../../lib/sessions/session.ts";
import { startTestStack, type TestStack } from "../helpers/stack.ts";

const EVENTS = 200;
const SESSION: Session = { org_id: "o", access_rights: { flip: { api_id: "flip" } }, tags: [] };

/** A handler that signs each session it is run for. */
const signing = (mark: string, rest = ""): SourceFile => ({
  path: "handlers/sign.js",
  text: `var sign = new TykJS.TykEventHandlers.NewEventHandler({});
sign.NewHandler(function (event, context) {
  var session = JSON.parse(TykGetKeyData(event.Meta.Key, context.APIID));
  session.tags = (session.tags || []).concat("${mark}");
  log("signed " + event.Meta.Key + " as ${mark}");
  TykSetKeyData(event.Meta.Key, JSON.stringify(session), 1);
});
${rest}`,
});
const DEFINITION: SourceFile = {
  path: "apis/flip.json",
  text: JSON.stringify({
    api_id: "flip",
    org_id: "o",
    event_handlers: {
      events: {
        KeyExpired: [{ handler_name: "eh_dynamic_handler", handler_meta: { name: "sign", path: "sign.js" } }],
      },
    },
  }),
};

describe("releases that flip while events come", () => {
  let stack: TestStack;
  const facts: LogLine[] = [];
  /** The version behind each mark, and whether it was ever live. */
  const marks = new Map<string, { version: string; result: ReleaseReport["result"] }>();

  before(async () => {
    stack = await startTestStack();
    stack.facts.listen((fact) => facts.push(fact));
    await stack.releases.writeSource(DEFINITION);
    assert.equal((await upload("m0")).result, "live");
  });
  after(() => stack.close());

  async function upload(mark: string, rest?: string): Promise<ReleaseReport> {
    await stack.releases.writeSource(signing(mark, rest));
    const report = await stack.release();
    marks.set(mark, { version: report.version, result: report.result });
    return report;
  }

  async function send(ids: string[]): Promise<void> {
    await Promise.all(ids.map((id) => stack.storeSession(id, SESSION)));
    const Entries = ids.map((id, index) => ({ Id: String(index), MessageBody: bodyOf(id, id) }));
    await stack.clients.sqs.send(
      new SendMessageBatchCommand({ QueueUrl: stack.resources.EVENTS_QUEUE_URL, Entries }),
    );
  }

  const bodyOf = (id: string, key: string) =>
    JSON.stringify({ id, api_id: "flip", event: { Type: "KeyExpired", Meta: { Key: key }, TimeStamp: "" } });
  const finished = (id: string) =>
    stack.fact(({ message, fields }) => message === "event done" && fields.event_id === id);

  async function queued(url: string): Promise<number> {
    const { Attributes = {} } = await stack.clients.sqs.send(
      new GetQueueAttributesCommand({ QueueUrl: url, AttributeNames: ["All"] }),
    );
    return (
      Number(Attributes.ApproximateNumberOfMessages) +
      Number(Attributes.ApproximateNumberOfMessagesNotVisible)
    );
  }

  it("run every event exactly once, on exactly one release that was live", async () => {
    const ids = Array.from({ length: EVENTS }, (_, index) => `flip-${index}`);
    let over = false;
    const flipping = (async () => {
      let flips = 0;
      for (let nth = 1; !over; nth += 1) {
        // A good one, one that breaks while it loads, and now and then a way back.
        const { result } = await upload(`m${nth}`, nth % 3 === 0 ? "notThere();" : "");
        assert.equal(result, nth % 3 === 0 ? "refused" : "live");
        if (result === "live") flips += 1;
        if (nth % 5 === 0) await rollBack(stack.releases, undefined, Date.now);
      }
      return flips;
    })();
    for (let at = 0; at < EVENTS; at += 10) {
      const wave = ids.slice(at, at + 10);
      await send(wave);
      await Promise.race([flipping, Promise.all(wave.map(finished))]);
    }
    over = true;
    const flips = await flipping;

    const live = new Map([...marks].filter(([, { result }]) => result === "live"));
    const used = new Set<string>();
    for (const id of ids) {
      const tags = (await stack.session(id))?.tags ?? [];
      assert.equal(tags.length, 1, `${id} was signed ${tags}`);
      const mark = tags[0] ?? "";
      assert.ok(live.has(mark), `${id} ran on ${mark}, which never was live`);
      const runs = facts.filter((fact) => fact.message === "event done" && fact.fields.event_id === id);
      assert.deepEqual(
        runs.map(({ fields }) => fields.release),
        [live.get(mark)?.version],
        id,
      );
      used.add(mark);
    }
    assert.equal(facts.filter(({ message }) => message === "handler failed").length, 0);
    assert.equal(await queued(stack.resources.DEAD_LETTERS_QUEUE_URL), 0);
    assert.ok(flips > 1 && used.size > 1, `${flips} flips, ${used.size} releases ran events`);
  });

  it("are rolled back to byte-identical behaviour", async () => {
    const behaviour = async (id: string) => {
      await stack.storeSession("same", SESSION);
      await stack.clients.sqs.send(
        new SendMessageBatchCommand({
          QueueUrl: stack.resources.EVENTS_QUEUE_URL,
          Entries: [{ Id: "0", MessageBody: bodyOf(id, "same") }],
        }),
      );
      await finished(id);
      const lines = facts.filter(({ message, fields }) => message === "script" && fields.event_id === id);
      // Members of a map have no order in DynamoDB.
      const session = Object.entries((await stack.session("same")) ?? {}).sort();
      const done = facts.find(({ message, fields }) => message === "event done" && fields.event_id === id);
      return JSON.stringify([session, lines.map(({ fields }) => fields.text), done?.fields.release]);
    };
    const { version } = await upload("good");
    const object = JSON.stringify(await stack.releases.read(version));
    const was = await behaviour("before");
    const { version: other } = await upload("bad");
    assert.notEqual(await behaviour("between"), was);

    assert.deepEqual(await rollBack(stack.releases, undefined, Date.now), { from: other, to: version });
    assert.equal(await behaviour("after"), was);
    assert.equal(JSON.stringify(await stack.releases.read(version)), object);
    // Woken by something unrelated: the bucket's content is what it was, so the rollback stands.
    assert.equal((await stack.release()).result, "unchanged");
    assert.equal(await stack.releases.liveVersion(), version);
  });
});
