// What scripts, file names, events and errors say, told by each command: text, and nothing that steers a terminal.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { PassThrough, Writable } from "node:stream";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { SendMessageCommand } from "@aws-sdk/client-sqs";
import { confirm } from "../../cli/terminal/confirm.ts";
import { printOver } from "../../cli/terminal/print.ts";
import { type AttemptRecord, FORMAT } from "../../lib/history/records.ts";
import type { Session } from "../../lib/sessions/session.ts";
import { attemptSaying } from "../helpers/attempt-saying.ts";
import { runCli } from "../helpers/cli.ts";
import { startTestStack, type TestStack } from "../helpers/stack.ts";

/** Colours, a link, a cleared screen, a title, a line that is written over, text that is turned or not to be seen. */
const HOSTILE = [
  "\u202e\u009b", // first, since some texts are cut
  "\x1b[31mred",
  "\x1b]8;;http://evil.example\x07link\x1b]8;;\x07",
  "\x1b[2J\x1b]0;title\x07",
  "over\rwritten\b\b\x7f",
  "\u0085\u009b31m\u009d0;t\u009c",
  "\u202eturned\u2066\u200e",
  "\u200b\u200d\u2060\ufeff\u00ad\u034f\u3164\u{e0041}",
  "\u2028\u2029",
].join("");
/** For the name of a file. */
const NAMED = HOSTILE.replaceAll("/", "-");
/** As far as a queue takes it, and a bucket's list of names. */
const QUEUED = HOSTILE.replaceAll(/[^\t\r\n -\ud7ff\ue000-\ufffd]/gu, "");
const STEERS = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\u3164]|\u034f/u;

/** Whether it has what was hostile, in its harmless form; else a case shows nothing. */
const isTold = (text: string) => text.includes("\\u009b") && text.includes("\\u202e");

const js = JSON.stringify(HOSTILE);
const HANDLER = `// ${HOSTILE.replaceAll(/[\r\n\u2028\u2029]/g, "")}
var hostile = new TykJS.TykEventHandlers.NewEventHandler({});
hostile.NewHandler(function (event, context) {
  log(${js}); rawlog(${js}); console.error("first\\n" + ${js});
  if (event.Type === "QuotaExceeded") throw new TypeError(${js});
});
`;
const definition = (api: string, path: string, kind = "eh_dynamic_handler") =>
  JSON.stringify({
    api_id: api,
    org_id: "demo-org",
    name: HOSTILE,
    event_handlers: {
      events: {
        KeyExpired: [{ handler_name: kind, handler_meta: { name: "hostile", path } }],
        // Odd, and so warned of.
        [`Odd${HOSTILE}`]: [{ handler_name: "eh_dynamic_handler", handler_meta: { name: "hostile", path } }],
      },
    },
  });

const refused = (named: string) => ({
  [`apis/a${named}.json`]: `{"api_id": ${HOSTILE}`,
  [`apis/b${named}.json`]: definition(HOSTILE, "none.js", HOSTILE),
  [`handlers/s${named}.js`]: `\tvar ${HOSTILE} = (;\n`,
});

const at = "2026-12-24T00:00:00.000Z";
const attempt = (id: string, said: string): AttemptRecord => ({
  ...attemptSaying(HOSTILE, said),
  id,
  at: id === "older" ? "2026-12-23T00:00:00.000Z" : at,
});
/** The last one is the newest. */
const HISTORY = [
  {
    history: FORMAT,
    refused: { id: `refused-${HOSTILE}`, api_id: HOSTILE, at: "2026-12-22", code: HOSTILE, error: HOSTILE },
  },
  { history: FORMAT, attempt: attempt("older", "x") },
  { history: FORMAT, attempt: attempt(`e${HOSTILE}`, HOSTILE) },
]
  .map((line) => `${JSON.stringify(line)}\n`)
  .join("");

/** It expects what no handler does. */
const ODD_TEST = {
  api_id: "demo",
  event: { Type: "KeyExpired", Meta: { Key: HOSTILE } },
  expect: { logs: [{ text: HOSTILE }], sessions: { [HOSTILE]: null } },
};

interface World {
  /** A folder that makes a release, and one that is refused. */
  good: string;
  bad: string;
  /** The second, with names that a bucket can list. */
  uploadable: string;
  /** One whose API has an odd id, and one with an odd name. */
  odd: string;
  named: string;
  /** A gateway's definitions, and its configuration. */
  gateway: string;
  conf: string;
  script: string;
  /** One whose script is made of a file that imports what is not there. */
  made: string;
  event: string;
  /** A folder in which a dev ran. */
  history: string;
  /** The release before the one that `good` makes, and that one. */
  samples: string;
  live: string;
}

const here = (...args: string[]) => ({ args, cwd: "." });

/** What is called, command by command and in this order; each says something hostile. */
const CASES: Record<string, (world: World) => { args: string[]; cwd: string }[]> = {
  init: ({ gateway }) => [
    here("init", `new ${NAMED}`),
    here("init", `new ${NAMED}`, "--json"),
    here("init", `new ${NAMED}`, "--tyk", dirname(gateway), "--json"),
  ],
  attach: ({ gateway, conf }) => [
    here("attach", "--apps", gateway, "--url", "http://127.0.0.1:9", "--dir", "attached"),
    here(
      "attach",
      "--apps",
      gateway,
      "--url",
      "http://127.0.0.1:9",
      "--dir",
      "attached",
      "--dry-run",
      "--json",
    ),
    here("attach", "--apps", gateway, "--url", "http://127.0.0.1:9", "--tyk-conf", conf),
    here("attach", "--apps", `no such ${NAMED}`, "--url", "http://127.0.0.1:9"),
  ],
  detach: ({ gateway }) => [
    here("detach", "--apps", gateway, "--out", "detached"),
    here("detach", "--apps", gateway, "--out", "detached", "--json"),
    here("detach", "--apps", `no such ${NAMED}`),
  ],
  run: ({ script, event, made }) => [
    here("run", script),
    here("run", script, "--json"),
    here("run", script, "--event", event),
    here("run", script, "--event", event, "--json"),
    here("run", script, "--session", `${HOSTILE}=${event}`),
    here("run", script, "--handler", HOSTILE),
    here("run", "--handler", HOSTILE),
    here("run", script, "--dir", `no such ${NAMED}`),
    here("run", `no such ${NAMED}`),
    here("run", script, "--session", `${HOSTILE}=no such ${NAMED}`),
    here("run", script, `--no-${HOSTILE}`),
    { args: ["run", "handlers/h.ts"], cwd: made },
  ],
  check: ({ good, bad, made }) => [
    here("check", "--dir", made),
    here("check", "--dir", made, "--json"),
    here("check", "--dir", good),
    here("check", "--dir", bad),
    here("check", "--dir", bad, "--json"),
    here("check", "--dir", `no such ${NAMED}`),
  ],
  push: ({ good, bad, made }) => [
    here("push", "--dir", made),
    here("push", "--dir", bad),
    here("push", "--dir", good, "--dry-run"),
    here("push", "--dir", good),
  ],
  releases: ({ live, named }) => [
    { args: ["releases", "--local"], cwd: named },
    here("releases", live),
    here("releases", live, "--json"),
    here("releases", "--json"),
    here("releases", HOSTILE),
  ],
  diff: ({ samples, live }) => [here("diff", samples, live), here("diff", live, HOSTILE)],
  rollback: () => [here("rollback", HOSTILE)],
  format: () => [here("format", HOSTILE)],
  dev: ({ good, uploadable, odd, made }) => [
    here("dev", "--dir", made, "--once"),
    here("dev", "--allow-host", HOSTILE),
    here("dev", "--dir", good, "--event", HOSTILE),
    here("dev", "--dir", good, "--api", HOSTILE),
    here("dev", "--dir", `no such ${NAMED}`),
    { args: ["dev", "--once"], cwd: good },
    { args: ["dev", "--once", "--json"], cwd: good },
    { args: ["dev", "--once"], cwd: uploadable },
    here("dev", "--dir", odd, "--once"),
    here("dev", "--dir", odd, "--once", "--json"),
  ],
  publish: () => [
    here("publish", "--listen", HOSTILE),
    here("publish", "--queue", HOSTILE),
    here("publish", "--queue", `http://127.0.0.1:9/${HOSTILE}`, "--spool", `/dev/null/${NAMED}`),
  ],
  package: ({ good }) => [here("package", "--dir", good, "--set", `${HOSTILE}=1`)],
  deploy: ({ good }) => [here("deploy", "--dir", good, "--set", `${HOSTILE}=1`)],
  remove: ({ good }) => [here("remove", "--dir", good, `--no-${HOSTILE}`)],
  eject: () => [here("eject", "--dir", `no such ${NAMED}`)],
  "dlq ls": () => [here("dlq", "ls"), here("dlq", "ls", "--json")],
  "dlq show": () => [
    here("dlq", "show", "e1", "--body"),
    here("dlq", "show", ID, "--body"),
    here("dlq", "show", ID, "--body", "--json"),
    here("dlq", "show", `no ${HOSTILE}`),
  ],
  "dlq redrive": () => [here("dlq", "redrive", `no ${HOSTILE}`)],
  "dlq rm": () => [here("dlq", "rm", `no ${HOSTILE}`, "--yes")],
  // A key is not told: it may be a secret.
  "sessions diff": () => [here("sessions", "diff", "k", `--no-${HOSTILE}`)],
  "sessions reconcile": () => [here("sessions", "reconcile", "--rate", HOSTILE)],
  "sessions ls": () => [here("sessions", "ls"), here("sessions", "ls", "--json", "--full")],
  "sessions query": () => [
    here("sessions", "query", "--alias", HOSTILE),
    here("sessions", "query", "--alias", HOSTILE, "--full"),
    here("sessions", "query", "--alias", HOSTILE, "--json"),
    here("sessions", "query", "--expires-to", HOSTILE),
  ],
  "sessions get": () => [here("sessions", "get", HOSTILE), here("sessions", "get", HOSTILE, "--json")],
  "sessions put": () => [here("sessions", "put", "k", `no such ${NAMED}`)],
  "sessions edit": () => [here("sessions", "edit", "k", `--no-${HOSTILE}`)],
  "sessions rm": () => [here("sessions", "rm", "k", `--no-${HOSTILE}`)],
  "sessions import": () => [
    here("sessions", "import", `no such ${NAMED}`),
    here("sessions", "import", "--rate", HOSTILE),
  ],
  "sessions export": () => [
    here("sessions", "export", "-"),
    here("sessions", "export", `/no such ${NAMED}/f`),
  ],
  "sessions hash": () => [here("sessions", "hash", "k", `--no-${HOSTILE}`)],
  "events ls": ({ history }) => [
    here("events", "ls", "--dir", history),
    here("events", "ls", "--dir", history, "--json"),
    here("events", "ls", "--dir", history, "--query", `"${QUEUED}`),
    here("events", "ls", "--dir", `no such ${NAMED}`),
  ],
  "events show": ({ history }) => [
    here("events", "show", "last", "--dir", history),
    here("events", "show", "last", "--dir", history, "--json"),
    here("events", "show", "last", "--dir", history, "--raw"),
    here("events", "show", HOSTILE, "--dir", history),
    here("events", "show", "refused", "--dir", history),
  ],
  "events tail": ({ history }) => [here("events", "tail", "--dir", history, "--outcome", HOSTILE)],
  "events diff": ({ history }) => [
    here("events", "diff", "last", "older", "--dir", history),
    here("events", "diff", "last", "older", "--dir", history, "--json"),
  ],
  "events save": ({ history }) => [
    here("events", "save", "last", "-", "--dir", history),
    here("events", "save", "last", `saved ${NAMED}`, "--dir", history),
    here("events", "save", "last", `saved ${NAMED}`, "--dir", history),
  ],
  console: () => [
    here("console", "--open", `no such ${NAMED}`),
    here("console", "--dir", `no such ${NAMED}`),
    here("console", "--port", HOSTILE),
  ],
  "events pin": ({ history }) => [
    here("events", "pin", "last", "--dir", history),
    here("events", "pin", "--dir", history),
    here("events", "pin", "--dir", history, "--json"),
  ],
  replay: ({ history }) => [
    here("replay", "last", "--dir", history),
    here("replay", "last", "--dir", history, "--json"),
    here("replay", "--last", "5", "--dir", history),
    here("replay", HOSTILE, "--dir", history),
  ],
  test: ({ history }) => [
    here("test", "--dir", history),
    here("test", "--dir", history, "--reporter", "tap"),
    here("test", "--dir", history, "--reporter", "junit"),
    here("test", `no such ${NAMED}`),
  ],
  send: () => [here("send", "KeyExpired", "--dir", `no such ${NAMED}`)],
  "webhook verify": ({ event }) => [
    here("webhook", "verify", `no such ${NAMED}`),
    here("webhook", "verify", event, "--headers", `no such ${NAMED}`),
  ],
};

const ID = `event ${QUEUED}`;

/** Each command of the program, and of those that have commands of their own, each of these. */
async function commandNames(...of: string[]): Promise<string[]> {
  const { stdout } = await runCli([...of, "--help"]);
  const [, list = ""] = stdout.split("\nCommands:\n");
  const names = [...list.matchAll(/^ {2}(\w+)/gm)]
    .map(([, name = ""]) => name)
    .filter((name) => name !== "help");
  if (names.length === 0) return [of.join(" ")];
  return (await Promise.all(names.map((name) => commandNames(...of, name)))).flat();
}

describe("no command lets others steer the reader's terminal", () => {
  let stack: TestStack;
  let root = "";
  let world: World;

  async function folder(name: string, files: Record<string, string>): Promise<string> {
    await mkdir(join(root, name), { recursive: true });
    for (const [path, text] of Object.entries(files)) {
      const file = join(root, name, path);
      await mkdir(dirname(file), { recursive: true });
      await writeFile(file, text);
    }
    return join(root, name);
  }

  async function deadLetter(body: string, attributes: Record<string, string>): Promise<void> {
    const MessageAttributes = Object.fromEntries(
      Object.entries(attributes).map(([name, StringValue]) => [name, { DataType: "String", StringValue }]),
    );
    const QueueUrl = stack.resources.DEAD_LETTERS_QUEUE_URL;
    await stack.clients.sqs.send(new SendMessageCommand({ QueueUrl, MessageBody: body, MessageAttributes }));
  }

  before(async () => {
    root = await mkdtemp(join(tmpdir(), "gatehook-"));
    const path = `h${NAMED}.js`;
    // As far as a release takes it in the path of a handler.
    const uploaded = QUEUED.replaceAll(/[\r/\x7f\u2028\u2029]/g, "");
    const event = JSON.stringify({ Type: "QuotaExceeded", Meta: { Key: HOSTILE } });
    stack = await startTestStack({ watchBucket: true });
    world = {
      good: await folder("good", {
        [`apis/a${uploaded}.json`]: definition("demo", `h${uploaded}.js`),
        [`handlers/h${uploaded}.js`]: HANDLER,
      }),
      bad: await folder("bad", refused(NAMED)),
      uploadable: await folder("uploadable", refused(uploaded)),
      odd: await folder("odd", {
        "apis/a.json": definition(HOSTILE, "h.js"),
        "handlers/h.js": HANDLER,
      }),
      named: await folder(NAMED, {}),
      made: await folder("made", {
        "apis/a.json": definition("demo", "h.js"),
        "handlers/h.ts": `import ${js}; // ${HOSTILE.replaceAll(/[\r\n\u2028\u2029]/g, "")}\n`,
        [`handlers/idle${NAMED}.ts`]: "export {};",
      }),
      gateway: join(
        await folder(
          "tyk",
          Object.fromEntries(
            Object.entries(refused(NAMED)).map(([path, text]) => [path.replace("apis/", "apps/"), text]),
          ),
        ),
        "apps",
      ),
      conf: join(await folder("conf", { [`c${NAMED}.json`]: `{"secret": ${HOSTILE}` }), `c${NAMED}.json`),
      script: join(await folder("one", { [path]: HANDLER }), path),
      event: join(await folder("event", { "e.json": event }), "e.json"),
      history: await folder("history", {
        ".gatehook/history/00000001.jsonl": HISTORY,
        "apis/a.json": definition("demo", "h.js"),
        "handlers/h.js": HANDLER,
        "tests/odd.json": JSON.stringify(ODD_TEST),
      }),
      samples: (await stack.releases.liveVersion()) ?? "",
      live: "",
    };
    const session = { alias: HOSTILE, tags: [HOSTILE], access_rights: { demo: { api_id: "demo" } } };
    await stack.storeSession(HOSTILE, session as Session);
    const verdict = ["reason", "error", "handler", "release", "tenant"].map((name) => [name, QUEUED]);
    // JSON has escapes for what the queue does not take.
    const body = { id: "e1", api_id: "demo", event: { Type: "T", Meta: { Key: HOSTILE } } };
    await deadLetter(JSON.stringify(body).replaceAll(/[^ -~]/gu, ""), Object.fromEntries(verdict));
    await deadLetter(QUEUED, { ...Object.fromEntries(verdict), event_id: ID });
  });
  after(async () => {
    await stack.close();
    await rm(root, { recursive: true });
  });

  for (const [command, cases] of Object.entries(CASES)) {
    it(command, async () => {
      world.live = (await stack.releases.liveVersion()) ?? "";
      for (const { args, cwd } of cases(world)) {
        const { stdout, stderr } = await runCli(args, { cwd: cwd === "." ? root : cwd, env: stack.env });
        const what = args.map((arg) => JSON.stringify(arg)).join(" ");
        const steers = STEERS.exec((stdout + stderr).replaceAll(/[\n\t]/g, ""));
        assert.equal(steers, null, `${what} said ${JSON.stringify(stdout + stderr)}`);
        assert.ok(isTold(stdout + stderr), `${what} said nothing hostile: ${stdout}${stderr}`);
        if (args.includes("--json") && stdout)
          assert.ok(JSON.stringify(JSON.parse(stdout)).includes("\u202e"));
      }
    });
  }

  it("and there is no other command", async () => {
    assert.deepEqual(Object.keys(CASES).sort(), (await commandNames()).sort());
  });

  it("nor does a question, or a line that is written over", async () => {
    const written: string[] = [];
    const output = new Writable({
      write: (chunk, _, done) => {
        written.push(String(chunk));
        done();
      },
    });
    const input = new PassThrough();
    input.end("n\n");
    await confirm(HOSTILE, { input, output }, new AbortController().signal);
    printOver(output, HOSTILE);
    const said = written.join("").replace("\r\x1b[K", "");
    assert.equal(STEERS.exec(said), null, JSON.stringify(said));
    assert.ok(isTold(said));
  });

  it("and no file of the commands writes but the one that takes care of it", () => {
    const cli = fileURLToPath(new URL("../../cli/", import.meta.url));
    const files = readdirSync(cli, { recursive: true, encoding: "utf8" }).filter((name) =>
      name.endsWith(".ts"),
    );
    const writing = files.filter((name) =>
      /\bconsole\s*(\.\s*(?!ts\b)\w|\[)|=\s*console\b|\.write\(|\bstd(out|err)\.(?!on\b|isTTY\b)/.test(
        readFileSync(join(cli, name), "utf8"),
      ),
    );
    assert.deepEqual(writing, [join("terminal", "print.ts")]);
  });
});
