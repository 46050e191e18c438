import assert from "node:assert/strict";
import type { ChildProcess } from "node:child_process";
import { randomUUID } from "node:crypto";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { after, afterEach, before, describe, it } from "node:test";
import {
  CreateQueueCommand,
  GetQueueAttributesCommand,
  ReceiveMessageCommand,
  SendMessageCommand,
} from "@aws-sdk/client-sqs";
import type { LogLine } from "../../cli/dev/log-lines.ts";
import { confirm } from "../../cli/terminal/confirm.ts";
import { longerThan, runCli } from "../helpers/cli.ts";
import { drain, startTestQueues, stringAttributes } from "../helpers/queues.ts";
import { startTestStack, type TestStack } from "../helpers/stack.ts";

const MADE = "new TykJS.TykEventHandlers.NewEventHandler({});";
/** Both count in the key's session how often they had their effect. */
const COUNTER = `var counter = ${MADE}
counter.NewHandler(function (event, context) {
  var session = JSON.parse(TykGetKeyData(event.Meta.Key, context.APIID));
  session.expires += 1;
  TykSetKeyData(event.Meta.Key, JSON.stringify(session), 1);
});`;
const BROKEN = `var planner = ${MADE}
planner.NewHandler(function (event) {
  throw new Error("no plan for '" + event.Meta.Key + "'");
});`;
const SESSION = { org_id: "demo-org", access_rights: { demo: { api_id: "demo" } }, expires: 100, rate: 10 };
const MENDED = `var planner = ${MADE}
planner.NewHandler(function (event, context) {
  var session = JSON.parse(TykGetKeyData(event.Meta.Key, context.APIID));
  session.rate += 1;
  TykSetKeyData(event.Meta.Key, JSON.stringify(session), 1);
});`;

const ONE_ATTEMPT = { settings: { MAX_ATTEMPTS: "1" } };

async function projectFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "gatehook-"));
  await Promise.all(["apis", "handlers"].map((name) => mkdir(join(folder, name))));
  const trigger = (name: string) => ({
    handler_name: "eh_dynamic_handler",
    handler_meta: { name, path: `${name}.js` },
  });
  const events = {
    KeyExpired: [trigger("counter"), trigger("planner")],
    QuotaExceeded: [trigger("counter")],
  };
  await writeFile(
    join(folder, "apis/demo.json"),
    JSON.stringify({ api_id: "demo", event_handlers: { events } }),
  );
  await writeFile(join(folder, "handlers/counter.js"), COUNTER);
  await writeFile(join(folder, "handlers/planner.js"), BROKEN);
  return folder;
}

describe("gatehook dlq, on the stack that is up", () => {
  let stack: TestStack;
  let folder = "";
  before(async () => {
    folder = await projectFolder();
    stack = await startTestStack({ folder, ...ONE_ATTEMPT });
  });
  after(async () => {
    await stack.close();
    await rm(folder, { recursive: true });
  });
  afterEach(() => drain(stack.clients.sqs, stack.resources.DEAD_LETTERS_QUEUE_URL));

  const dlq = (args: string[], options: Parameters<typeof runCli>[1] = {}) =>
    runCli(["dlq", ...args], { env: stack.env, ...options });
  const json = async (...args: string[]) => {
    const { code, stdout, stderr } = await dlq([...args, "--json"]);
    assert.deepEqual([code, stderr], [0, ""]);
    return JSON.parse(stdout);
  };
  const put = (body: string, attributes: Record<string, string> = {}) =>
    stack.clients.sqs.send(
      new SendMessageCommand({
        QueueUrl: stack.resources.DEAD_LETTERS_QUEUE_URL,
        MessageBody: body,
        MessageAttributes: stringAttributes(attributes),
      }),
    );
  const eventOf = (id: string, Key: string, Type = "KeyExpired") =>
    JSON.stringify({ id, api_id: "demo", event: { Type, Meta: { Key } } });
  /** Resolves when so many facts of a kind have come that fit, from now on. */
  const facts = (count: number, fits: (fact: LogLine) => boolean) =>
    new Promise<void>((resolve) => {
      let come = 0;
      const stop = stack.facts.listen((fact) => {
        if (!fits(fact)) return;
        come += 1;
        if (come < count) return;
        stop();
        resolve();
      });
    });
  const done =
    (id: string) =>
    ({ message, fields }: LogLine) =>
      message === "event done" && fields.event_id === id;

  it("shows why an event failed, and when its handler is mended, redrives it to one effect", async () => {
    await stack.storeSession("k1", SESSION);
    const failed = facts(
      1,
      ({ message, fields }) => message === "event to the dead letters" && fields.event_id === "e1",
    );
    await stack.post("demo", eventOf("e1", "k1"));
    await failed;

    const { groups } = await json("ls");
    const { group, ...told } = groups[0];
    assert.equal(groups.length, 1);
    assert.deepEqual(
      [told.reason, told.handler, told.error],
      ["handler-threw", "planner", "Error: no plan for …"],
    );
    assert.deepEqual(
      [told.place, told.count, told.event_id, told.api_ids],
      ["planner.js:3:18", 1, "e1", ["demo"]],
    );

    const shown = await dlq(["show", group]);
    assert.doesNotMatch(shown.stdout, /prelude\.js/);
    assert.deepEqual([shown.code, shown.stderr], [0, ""]);
    assert.match(shown.stdout, /event e1\n {2}is +KeyExpired for API demo\n/);
    assert.match(shown.stdout, /Error: no plan for 'k1'\n +at <anonymous> \(planner\.js:3:18\)/);

    await stack.releases.writeSource({ path: "handlers/planner.js", text: MENDED });
    await stack.release();
    const redriven = facts(1, done("e1"));
    const { code, stdout } = await dlq(["redrive", group]);
    assert.deepEqual([code, stdout], [0, "1 event sent to the events queue\n"]);
    await redriven;
    const once = { ...SESSION, expires: 101, rate: 11 };
    assert.deepEqual(await stack.session("k1"), once, "the handler that was done before did not run again");

    // As after a process that died between the send and the delete.
    await put(eventOf("e1", "k1"), { reason: "handler-threw", error: "Error: no", event_id: "e1" });
    const again = facts(1, done("e1"));
    assert.deepEqual(await json("redrive", "e1"), {
      dry_run: false,
      complete: true,
      chosen: 1,
      sent: 1,
      not_removed: 0,
      later: 0,
      failed: [],
    });
    await again;
    assert.deepEqual(await stack.session("k1"), once);
    assert.deepEqual((await json("ls")).groups, []);
  });

  it("redrives what SQS moved itself under the id that its consumer knew", async () => {
    await stack.storeSession("k2", SESSION);
    const { sqs } = stack.clients;
    const { Attributes } = await sqs.send(
      new GetQueueAttributesCommand({
        QueueUrl: stack.resources.DEAD_LETTERS_QUEUE_URL,
        AttributeNames: ["QueueArn"],
      }),
    );
    const policy = { deadLetterTargetArn: Attributes?.QueueArn, maxReceiveCount: 1 };
    const name = randomUUID();
    await sqs.send(
      new CreateQueueCommand({ QueueName: name, Attributes: { RedrivePolicy: JSON.stringify(policy) } }),
    );
    const QueueUrl = stack.resources.EVENTS_QUEUE_URL.replace(/[^/]+$/, name);
    const { MessageId = "" } = await sqs.send(
      new SendMessageCommand({
        QueueUrl,
        MessageBody: '{"Type":"QuotaExceeded","Meta":{"Key":"k2"}}',
        MessageAttributes: stringAttributes({ api_id: "demo" }),
      }),
    );
    // Its consumer dies, and the next receive finds that the queue has given it once too often.
    for (let nth = 0; nth < 2; nth += 1)
      await sqs.send(new ReceiveMessageCommand({ QueueUrl, VisibilityTimeout: 0 }));
    const list = await dlq(["ls"]);
    assert.match(
      list.stdout,
      /moved-by-sqs .*\n +at its last receive the consumer died, ran out of time or could not reach a service\n/,
    );
    const redriven = facts(1, done(MessageId));
    assert.equal((await dlq(["redrive", "--all"])).code, 0);
    await redriven;
    assert.equal((await stack.session("k2"))?.expires, 101);
  });

  it("lists groups in a table that fits the terminal, and never a body", async () => {
    const at = "\n    at <anonymous> (a/rather/long/folder/of/scripts/quota-and-plan-handler.js:120:33)";
    for (let nth = 0; nth < 12; nth += 1)
      await put(eventOf(`e${nth}`, "secret-key"), {
        reason: "handler-storage-calls",
        handler: "aHandlerWithQuiteALongName",
        error: `handler ${nth} ${"made too many storage calls ".repeat(5)}${at}`,
      });
    const { code, stdout, stderr } = await dlq(["ls"]);
    assert.deepEqual([code, stderr], [0, ""]);
    const [head = "", row = "", ...details] = stdout.trimEnd().split("\n");
    assert.match(head, /^GROUP +COUNT +REASON +HANDLER +NEWEST \(UTC\)$/);
    const TIME = /\d{4}-\d\d-\d\d \d\d:\d\d:\d\d/.source;
    assert.match(
      row,
      new RegExp(`^[0-9a-f]{8} +12 +handler-storage-calls +aHandlerWithQuiteALongName +${TIME}$`),
    );
    assert.equal(details.length, 3, "its error, its example, and the sum");
    assert.match(details[1] ?? "", new RegExp(`^ {10}(since ${TIME}, )?such as event e\\d+ of API demo$`));
    assert.match(details.at(-1) ?? "", /^12 dead letters in 1 group; /);
    assert.doesNotMatch(stdout, /secret-key/);
    const [group] = row.split(" ");
    for (const columns of [80, 40]) {
      for (const args of [["ls"], ["show", group ?? "", "--limit", "1"]]) {
        const narrow = await dlq(args, { env: { ...stack.env, COLUMNS: String(columns) } });
        assert.deepEqual(longerThan(columns, narrow), []);
      }
    }
    const most = await dlq(["ls", "--max", "5"]);
    assert.match(most.stdout, /\nat least 5 dead letters/);
    assert.match(most.stderr, /--max 5, and about 7 messages were not read/);
  });

  it("shows a body only when it is asked to, and no more letters than were asked for", async () => {
    for (const id of ["e1", "e2", "e3"]) await put(eventOf(id, "secret-key"), { tenant: "t1" });
    const { groups } = await json("ls");
    const { letters } = await json("show", groups[0].group, "--limit", "2");
    assert.equal(letters.length, 2);
    assert.deepEqual(letters[0].attributes, { tenant: "t1" });
    assert.doesNotMatch(JSON.stringify(letters), /secret-key/);
    const one = await dlq(["show", "e2", "--body"]);
    assert.match(one.stdout, /\n {2}with +tenant: t1\n {2}body +\{"id":"e2",.*secret-key/);
    const two = await dlq(["show", groups[0].group, "--limit", "2"]);
    assert.match(two.stdout, /\n1 more, older ones: --limit shows them\n$/);
    assert.doesNotMatch(two.stdout, /secret-key/);
  });

  it("lets no letter steer the terminal", async () => {
    const hostile = "\u009b31mred \u202etxet \u0085next\u2028";
    await put(eventOf(`id${hostile}`, "k", "\u001b[2J\u0007"), {
      reason: hostile,
      error: `${hostile}\n    at ${hostile} (h.js:1:1)`,
      handler: hostile,
      release: hostile,
      event_id: hostile,
      theirs: hostile,
    });
    const { groups } = await json("ls");
    assert.equal(groups[0].reason, hostile, "and JSON says the same as without the escapes");
    const { group } = groups[0];
    for (const args of [["ls"], ["show", group, "--body"]]) {
      for (const format of [[], ["--json"]]) {
        const { stdout, stderr } = await dlq([...args, ...format]);
        assert.doesNotMatch(stdout.replaceAll("\n", "") + stderr, /[\p{Cc}\p{Cf}\p{Zl}]/u);
        assert.match(stdout, /\\u009b31m/);
      }
    }
  });

  it("deletes for good only with a yes", async () => {
    for (const id of ["e1", "e2", "e3"]) await put(eventOf(id, "k"));
    const unasked = await dlq(["rm", "--all"]);
    assert.equal(unasked.code, 2);
    assert.match(unasked.stderr, /add --yes/);
    assert.equal((await json("ls")).read, 3);
    const one = await dlq(["rm", "e2", "--yes"]);
    assert.deepEqual([one.code, one.stdout], [0, "1 dead letter deleted\n"]);
    assert.deepEqual(await json("rm", "--all", "--yes"), { complete: true, removed: 2, not_removed: 0 });
    assert.equal((await json("ls")).read, 0);
    assert.equal((await dlq(["ls"])).stdout, "there is no dead letter\n");
  });

  it("stops at Ctrl+C after what is on its way, says what was done, and leaves the rest readable", async () => {
    for (const id of ["s1", "s2", "s3"]) await put(eventOf(id, "k3", "HostDown"));
    let child: ChildProcess | undefined;
    const first = facts(
      1,
      ({ message, fields }) => message === "event done" && /^s\d/.test(String(fields.event_id)),
    );
    const running = dlq(["redrive", "--all", "--rate", "0.1/s"], {
      onStart: (started) => {
        child = started;
      },
    });
    await first;
    child?.kill("SIGINT");
    const { code, stdout, stderr } = await running;
    assert.deepEqual([code, stdout], [1, "1 event sent to the events queue\n"]);
    assert.match(stderr, /stopped/);
    assert.equal((await json("ls")).read, 2);
  });

  it("ends with 2 when it is called wrongly, and with 1 and the mend when something is not there", async () => {
    const wrong = [
      "redrive",
      "rm --yes",
      "redrive x --all",
      "redrive --all --rate 0",
      "ls --max 0",
      "show",
      "move",
    ];
    const codes = await Promise.all(wrong.map(async (args) => [args, (await dlq(args.split(" "))).code]));
    assert.deepEqual(
      codes,
      wrong.map((args) => [args, 2]),
    );
    const unknown = ["show nobody", "redrive nobody", "rm nobody --yes"];
    for (const { code, stdout, stderr } of await Promise.all(unknown.map((args) => dlq(args.split(" "))))) {
      assert.deepEqual([code, stdout], [1, ""]);
      assert.match(stderr, /named nobody among 0 dead letters: gatehook dlq ls/);
    }
    assert.deepEqual((await json("redrive", "--all")).sent, 0);
    const unset = await dlq(["ls"], { env: { ...stack.env, DEAD_LETTERS_QUEUE_URL: "" } });
    assert.equal(unset.code, 1);
    assert.match(unset.stderr, /DEAD_LETTERS_QUEUE_URL is not set/);
    const url = `${stack.env.EVENTS_QUEUE_URL}-none`;
    const missing = await dlq(["redrive", "--all"], { env: { ...stack.env, EVENTS_QUEUE_URL: url } });
    assert.equal(missing.code, 1);
    assert.match(missing.stderr, /EVENTS_QUEUE_URL is .*-none, but there is no such queue/);
  });
});

describe("gatehook dlq ls on a FIFO queue", () => {
  it("says that there are at least that many, since what is behind others does not show", async () => {
    const queues = await startTestQueues();
    try {
      const dead = await queues.create({ fifo: true });
      for (let nth = 0; nth < 12; nth += 1)
        await queues.put(dead, { body: `letter ${nth}`, orderGroup: "k1" });
      const env = { ...queues.env, DEAD_LETTERS_QUEUE_URL: dead };
      const { code, stdout, stderr } = await runCli(["dlq", "ls"], { env });
      assert.equal(code, 0);
      assert.match(stdout, /\nat least \d+ dead letters? in 1 group/);
      assert.match(stderr, /about \d+ more are behind these/);
    } finally {
      await queues.close();
    }
  });
});

describe("the question before a deletion", () => {
  const ask = (answer: (input: PassThrough, stop: AbortController) => void) => {
    const input = new PassThrough();
    const output = new PassThrough();
    const stop = new AbortController();
    const said = confirm("delete 3 dead letters?", { input, output }, stop.signal);
    answer(input, stop);
    return said.then((yes) => ({ yes, asked: String(output.read()) }));
  };

  it("takes a yes for a yes, and everything else for a no", async () => {
    assert.deepEqual(await ask((input) => input.write("y\n")), {
      yes: true,
      asked: "delete 3 dead letters? [y/N] ",
    });
    assert.equal((await ask((input) => input.write("Yes \n"))).yes, true);
    for (const text of ["\n", "n\n", "yess\n", "o\n"])
      assert.equal((await ask((input) => input.write(text))).yes, false);
    assert.equal((await ask((input) => input.end())).yes, false);
    assert.equal((await ask((_, stop) => stop.abort())).yes, false);
  });
});
