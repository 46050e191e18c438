import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, describe, it } from "node:test";
import { SendMessageCommand } from "@aws-sdk/client-sqs";
import { METRICS, type MetricName } from "../../lib/metrics.ts";
import type { Session } from "../../lib/sessions/session.ts";
import { createEmfSums, type EmfLine, parseEmf } from "../helpers/emf.ts";
import { startTestStack, type TestStack } from "../helpers/stack.ts";

/** Each is planted in one place, and must be in no line. */
const SECRETS = {
  key: "k-9f2a7c",
  unfitKey: "k-51e0bd",
  alias: "alias-4c1d",
  metaData: "meta-77ab",
  password: "pass-20c9",
  eventMeta: "meta-e38f",
  header: "header-b6d4",
  badHeader: "header-0f13",
  urlPassword: "url-a981",
  query: "query-5dd2",
  written: "written-61c7",
  refusedBody: "body-3aa0",
  unfit: "unfit-c2e5",
  stored: "stored-8b47",
};

const handler = (name: string, body: string) =>
  `var ${name} = new TykJS.TykEventHandlers.NewEventHandler({});
   ${name}.NewHandler(function (event, context) { ${body} });`;

const scripts = (origin: string): Record<string, string> => ({
  fine: handler(
    "fine",
    `var session = JSON.parse(TykGetKeyData(event.Meta.Key, context.APIID));
     TykMakeHttpRequest(JSON.stringify({
       Method: "POST", Domain: "${origin.replace("//", `//user:${SECRETS.urlPassword}@`)}",
       Resource: "/there?token=${SECRETS.query}", Headers: { "X-Token": "${SECRETS.header}" }, Body: "",
     }));
     TykStorageSet("${SECRETS.stored}", "${SECRETS.stored}", 60);
     session.rate = 7;
     TykSetKeyData(event.Meta.Key, JSON.stringify(session), 1);
     log("fine");`,
  ),
  failing: handler(
    "failing",
    `TykGetKeyData(event.Meta.Key, context.APIID);
     TykSetKeyData(event.Meta.Key, '{"rate":"${SECRETS.written}"}', 1);
     TykSetKeyData(event.Meta.Key, 'no JSON ${SECRETS.written}', 1);
     var request = { Method: "GET", Domain: "http://user:${SECRETS.urlPassword}@10.0.0.1",
       Resource: "/?token=${SECRETS.query}", Headers: {} };
     TykMakeHttpRequest(JSON.stringify(request));
     request.Headers["X-Token"] = "${SECRETS.badHeader}\\n";
     TykMakeHttpRequest(JSON.stringify(request));
     TykMakeHttpRequest("no JSON ${SECRETS.header}");
     throw new Error("it fails");`,
  ),
  stuck: handler("stuck", `new Array(1e9) + ""`),
});

const ref = (name: string) => [
  { handler_name: "eh_dynamic_handler", handler_meta: { name, path: `${name}.js` } },
];
const API = {
  name: "Watched",
  api_id: "watched",
  org_id: "o1",
  event_handlers: {
    events: { KeyExpired: ref("fine"), QuotaExceeded: ref("failing"), HostDown: ref("stuck") },
  },
};

const SESSION: Session = {
  alias: SECRETS.alias,
  org_id: "o1",
  access_rights: { watched: { api_id: "watched" } },
  meta_data: { note: SECRETS.metaData },
  basic_auth_data: { password: SECRETS.password },
};

describe("what the functions write", () => {
  const lines: { functionName: string; line: string }[] = [];
  const emf: EmfLine[] = [];
  const metrics = createEmfSums();
  const answers = createServer((_request, response) => response.end("{}"));
  let folder = "";
  let stack: TestStack;

  const post = async (Type: string, Key: string) => {
    const id = randomUUID();
    const event = { Type, Meta: { Key, Message: SECRETS.eventMeta }, TimeStamp: "" };
    const { status } = await stack.post("watched", JSON.stringify({ id, event }));
    assert.equal(status, 202);
    return id;
  };
  const reached = (name: string, value: number) => metrics.reached(name, value);

  before(async () => {
    await new Promise<void>((resolve) => answers.listen(0, "127.0.0.1", resolve));
    const origin = `http://127.0.0.1:${(answers.address() as AddressInfo).port}`;
    folder = await mkdtemp(join(tmpdir(), "gatehook-observed-"));
    const files = Object.entries(scripts(origin)).map(([name, text]) => [`handlers/${name}.js`, text]);
    for (const [path = "", text = ""] of [...files, ["apis/watched.json", JSON.stringify(API)]]) {
      await mkdir(dirname(join(folder, path)), { recursive: true });
      await writeFile(join(folder, path), text);
    }
    stack = await startTestStack({
      folder,
      settings: { MAX_ATTEMPTS: "1", HTTP_ALLOW_HOSTS: "127.0.0.1", HANDLER_TIMEOUT_MS: "2000" },
      onLine(functionName, line) {
        lines.push({ functionName, line });
        const measured = parseEmf(line);
        if (!measured) return;
        emf.push(measured);
        metrics.add(measured);
      },
    });
    await stack.storeSession(SECRETS.key, SESSION);
    await stack.storeSession(SECRETS.unfitKey, { ...SESSION, rate: SECRETS.unfit as unknown as number });
  });
  after(async () => {
    await stack?.close();
    answers.close();
    await rm(folder, { recursive: true });
  });

  it("measures an event that is done, and what its first read brought", async () => {
    await post("KeyExpired", SECRETS.key);
    await reached("EventsDone of consumer", 1);
    await post("KeyExpired", SECRETS.key);
    await reached("EventsDone of consumer", 2);
    await reached("EventsAccepted of ingest", 2);
    const { sums } = metrics;
    assert.equal(sums["Runs of consumer"], 2);
    assert.equal(sums["RunTime of consumer"], 2);
    assert.equal(sums["PrefetchMisses of consumer"], undefined);
    assert.equal(sums["PrefetchHits of consumer"], 2, "each session came with the first read of its batch");
    assert.equal(sums["EventsFailed of consumer"], undefined);
    assert.equal((await stack.session(SECRETS.key))?.rate, 7);
  });

  it("measures an event that fails, and its dead letter", async () => {
    await post("QuotaExceeded", SECRETS.key);
    await reached("DeadLetters handler-threw of consumer", 1);
    await reached("EventsFailed of consumer", 1);
    assert.equal(metrics.sums["RunFailures handler-threw of consumer"], 1);
    assert.equal(metrics.sums["RunFailures of consumer"], 1);
    assert.equal(metrics.sums["DeadLetters of consumer"], 1);
    assert.equal(metrics.sums["SandboxRebuilds of consumer"], undefined);
  });

  it("measures a session in the table that is none", async () => {
    await post("KeyExpired", SECRETS.unfitKey);
    await reached("DeadLetters session-unfit of consumer", 1);
    assert.equal(metrics.sums["RunFailures session-unfit of consumer"], 1);
  });

  it("measures a handler whose thread was ended, and the sandbox that it cost", async () => {
    await post("HostDown", SECRETS.key);
    await reached("DeadLetters handler-killed of consumer", 1);
    await reached("WorkersKilled of consumer", 1);
    assert.equal(metrics.sums["SandboxRebuilds of consumer"], 1);
  });

  it("measures what is no event, at ingest and on the queue", async () => {
    const body = `no event: ${SECRETS.refusedBody}`;
    assert.equal((await stack.post("watched", body)).status, 400);
    await reached("EventsRefused event-invalid of ingest", 1);
    assert.equal(metrics.sums["EventsRefused of ingest"], 1);
    await stack.clients.sqs.send(
      new SendMessageCommand({ QueueUrl: stack.resources.EVENTS_QUEUE_URL, MessageBody: body }),
    );
    await reached("DeadLetters event-invalid of consumer", 1);
  });

  it("measures a release that is refused, one that goes live, and its reload", async () => {
    const path = "handlers/fine.js";
    const { text } = (await stack.releases.readSources()).find((file) => file.path === path) ?? { text: "" };
    await stack.releases.writeSource({ path, text: "this is no JavaScript" });
    assert.equal((await stack.release()).result, "refused");
    await reached("ReleasesRefused of releaser", 1);
    await stack.releases.writeSource({ path, text: `${text}\n// a change` });
    assert.equal((await stack.release()).result, "live");
    await reached("ReleasesLive of releaser", 2);
    assert.equal(metrics.sums["Reloads of consumer"], 1);
    await post("KeyExpired", SECRETS.key);
    await reached("Reloads of consumer", 2);
    assert.equal(metrics.sums["ReloadTime of consumer"], 2);
    assert.equal(metrics.sums["ReloadFailures of consumer"], undefined);
    await reached("EventsDone of consumer", 3);
  });

  it("counts each delivery once: done or failed", () => {
    const { sums } = metrics;
    assert.equal(sums["EventsDone of consumer"], 3);
    assert.equal(sums["EventsFailed of consumer"], 4);
    assert.equal(sums["DeadLetters of consumer"], 4);
    assert.equal(sums["EventsAccepted of ingest"], 6);
  });

  it("has metrics of the list only, each with its unit and its dimension", () => {
    const services = new Set<unknown>();
    for (const line of emf) {
      const [{ Namespace, Dimensions, Metrics }] = line._aws.CloudWatchMetrics;
      const [names] = Dimensions;
      services.add(line.service);
      assert.equal(Namespace, "gatehook");
      for (const { Name, Unit } of Metrics) {
        assert.ok(Object.hasOwn(METRICS, Name), `${Name} is not on the list`);
        const metric: { unit: string; by?: string } = METRICS[Name as MetricName];
        assert.equal(Unit, metric.unit);
        assert.deepEqual(names, names.length === 1 ? ["service"] : ["service", metric.by]);
      }
      const known = ["_aws", ...names, ...Metrics.map(({ Name }) => Name)];
      assert.deepEqual(Object.keys(line).sort(), known.sort(), "nothing but metrics and dimensions");
    }
    assert.deepEqual([...services].sort(), ["consumer", "ingest", "releaser"]);
  });

  it("says event, handler and release in each line that has them", () => {
    const facts = lines
      .map(({ line }) => JSON.parse(line) as Record<string, string>)
      .filter(({ message }) => message !== undefined);
    const has = (message: string, members: string[]) => {
      const told = facts.filter((fact) => fact.message === message);
      assert.notEqual(told.length, 0, message);
      for (const fact of told) {
        for (const member of members) assert.ok(fact[member], `"${message}" without ${member}`);
      }
    };
    has("event queued", ["event_id"]);
    has("script", ["event_id", "handler"]);
    has("handler failed", ["event_id", "handler", "release", "code"]);
    has("event done", ["event_id", "api_id", "type", "release", "handlers"]);
    has("release loaded", ["release"]);
    has("release refused", ["release"]);
  });

  it("is JSON line by line, and has no secret", () => {
    assert.ok(lines.length > 30, `${lines.length} lines`);
    for (const { functionName, line } of lines) {
      JSON.parse(line);
      for (const [name, secret] of Object.entries(SECRETS)) {
        assert.ok(!line.includes(secret), `a line of ${functionName} has the secret "${name}": ${line}`);
      }
    }
  });
});
