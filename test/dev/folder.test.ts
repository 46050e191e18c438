// `gatehook dev` in a folder of one's own: what it finds there, what it says, and what a newcomer may do wrong.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { chmod, readFile, rm, stat, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { promisify } from "node:util";
import { readFolder } from "../../cli/folder.ts";
import { OWN_FOLDERS } from "../../lib/settings/project.ts";
import { EMBEDDED, runCli } from "../helpers/cli.ts";
import { type Dev, definition, handler, newFolder, startDev, startDevWith } from "../helpers/dev.ts";

const run = promisify(execFile);

/** Raises the quota of the event's key. */
const RAISES = `
  var session = JSON.parse(TykGetKeyData(event.Meta.Key, context.APIID));
  session.quota_remaining = 500;
  session.tags = ["raised"];
  TykSetKeyData(event.Meta.Key, JSON.stringify(session), 1);`;

const ORDERS = {
  "apis/orders.json": definition("orders", { QuotaExceeded: "quota" }),
  "handlers/quota.js": handler("quota", RAISES),
};

const oas = (id: string) =>
  JSON.stringify({
    openapi: "3.0.3",
    info: { title: "Odd", version: "1" },
    paths: {},
    "x-tyk-api-gateway": {
      info: { id, orgId: "shop", name: "Odd", state: { active: true } },
      server: {
        eventHandlers: [
          {
            enabled: true,
            trigger: "AuthFailure",
            type: "custom",
            functionName: "quota",
            path: "quota.js",
          },
        ],
      },
    },
  });

describe("gatehook dev", () => {
  const folders: string[] = [];
  const running: Dev[] = [];
  after(async () => {
    // What a test that failed left.
    for (const dev of running) if (dev.process.exitCode === null) await dev.end();
    await Promise.all(folders.map((folder) => rm(folder, { recursive: true, force: true })));
  });

  function start(folder: string, ...args: string[]): Dev {
    const dev = startDev(folder, ...args);
    running.push(dev);
    return dev;
  }

  async function folderOf(files: Record<string, string>): Promise<string> {
    const folder = await newFolder(files);
    folders.push(folder);
    return folder;
  }

  const once = (dir: string, ...args: string[]) => runCli(["dev", "--once", "--dir", dir, ...args]);

  it("sends the event that the first API of a folder elsewhere has a handler for", async () => {
    const { code, stdout, stderr } = await once(await folderOf(ORDERS), "--json");
    assert.equal(stderr, "");
    assert.equal(code, 0);
    const { outcome, event, api_id, session } = JSON.parse(stdout);
    assert.deepEqual([outcome, event.type, api_id], ["done", "QuotaExceeded", "orders"]);
    assert.equal(session.key, "orders-key");
    assert.deepEqual(Object.keys(session.before.access_rights), ["orders"]);
    assert.deepEqual(session.after, { ...session.before, quota_remaining: 500, tags: ["raised"] });
  });

  it("says what the handler changed of the session, whatever it is", async () => {
    const { stdout } = await once(await folderOf(ORDERS));
    assert.match(stdout, /A gateway's QuotaExceeded event for API orders/);
    assert.match(stdout, /session +orders-key\n +before +quota_remaining 0, tags not there\n/);
    assert.match(stdout, /after +quota_remaining 500, tags \["raised"\]\n/);
    const silent = { ...ORDERS, "handlers/quota.js": handler("quota", "") };
    assert.match((await once(await folderOf(silent))).stdout, /session +orders-key: not changed\n/);
  });

  it("takes an OAS definition, and an id that a URL must encode", async () => {
    const id = "a/b ü'$(x)?#%";
    const folder = await folderOf({
      "apis/odd.json": oas(id),
      "handlers/quota.js": handler("quota", 'log("ran for " + context.APIID);'),
    });
    const { code, stdout, stderr } = await once(folder, "--json");
    assert.deepEqual([code, stderr], [0, ""]);
    const { outcome, event, api_id, logs } = JSON.parse(stdout);
    assert.deepEqual([outcome, event.type, api_id], ["done", "AuthFailure", id]);
    assert.ok(logs.includes(`ran for ${id}`));
  });

  it("prints a curl line that a shell can run, for an API that is there", async () => {
    const folder = await folderOf({
      "apis/odd.json": oas("it's odd"),
      "handlers/quota.js": handler("quota", 'log("by curl: " + event.Meta.Key);'),
    });
    const dev = start(folder);
    try {
      const [, line = ""] = await dev.says(/\n {2}(curl .*)\n/);
      await dev.says(/Ctrl\+C/);
      assert.doesNotMatch(line, /demo/);
      await run("sh", ["-c", `${line} -s`]);
      await dev.says(/by curl: sample-key/);
    } finally {
      await dev.end();
    }
  });

  describe("without a handler", () => {
    const NONE = { "apis/orders.json": definition("orders", {}) };

    it("says so in one line and stays up", async () => {
      const folder = await folderOf(NONE);
      const dev = start(folder);
      try {
        await dev.says(/^no sample sent: no API here has a handler$/m);
        await dev.says(/Ctrl\+C stops everything/);
        assert.doesNotMatch(dev.said(), /curl|demo/);
        await writeFile(join(folder, "handlers/quota.js"), handler("quota", ""));
        await writeFile(join(folder, "apis/orders.json"), ORDERS["apis/orders.json"]);
        await dev.says(/release \w+ is live: 1 API, 1 script/);
      } finally {
        assert.equal(await dev.end(), 0);
      }
    });

    it("ends --once with 1 and the reason", async () => {
      const { code, stdout, stderr } = await once(await folderOf(NONE), "--json");
      assert.deepEqual(
        [code, stdout, stderr],
        [1, "", "gatehook: no sample sent: no API here has a handler\n"],
      );
    });
  });

  describe("told which event to send", () => {
    const SHOP = {
      ...ORDERS,
      "apis/stock.json": definition("stock", { AuthFailure: "quota", KeyExpired: "quota" }),
    };

    it("sends that one", async () => {
      const folder = await folderOf(SHOP);
      const sent = async (...args: string[]) => {
        const { event, api_id } = JSON.parse((await once(folder, "--json", ...args)).stdout);
        return `${event.type} for ${api_id}`;
      };
      assert.equal(await sent("--event", "KeyExpired"), "KeyExpired for stock");
      assert.equal(await sent("--api", "stock"), "AuthFailure for stock");
      assert.equal(await sent("--api", "stock", "--event", "KeyExpired"), "KeyExpired for stock");
    });

    const WRONG: [args: string[], told: string][] = [
      [
        ["--event", "KeyExpird"],
        "no API here has a handler for KeyExpird; there are handlers for: QuotaExceeded, AuthFailure, KeyExpired (did you mean KeyExpired?)",
      ],
      [
        ["--api", "order"],
        "no API order here has a handler; those that have one: orders, stock (did you mean orders?)",
      ],
      [
        ["--api", "orders", "--event", "HostDown"],
        "API orders has no handler for HostDown; there are handlers for: QuotaExceeded",
      ],
      [
        ["--no-demo", "--api", "orders"],
        "--api and --event choose the sample event, which --no-demo leaves out",
      ],
    ];
    for (const [args, told] of WRONG)
      it(`says what is there instead (${args.join(" ")})`, async () => {
        const { code, stderr } = await runCli(["dev", "--dir", await folderOf(SHOP), ...args]);
        assert.deepEqual([code, stderr], [2, `gatehook: ${told}\n`]);
      });
  });

  it("tells a retry, and an event that no handler is for", async () => {
    const failing = { ...ORDERS, "handlers/quota.js": handler("quota", 'throw new TypeError("no");') };
    const dev = start(await folderOf(failing), "--no-demo", "--set", "MAX_ATTEMPTS=3");
    try {
      const [, url] = await dev.says(/ready at (\S+)/);
      const post = (id: string, Type: string) =>
        fetch(`${url}/events/orders`, {
          method: "POST",
          body: JSON.stringify({ id, event: { Type, Meta: {} } }),
        });
      await post("my-evt-1", "QuotaExceeded");
      await dev.says(/ retry {7}my-evt-1: attempt 1 of 3 failed \(handler-threw\), next in about \d+ s\n/);
      await post("my-evt-2", "AuthFailur");
      await dev.says(/ no handler {2}orders has none for AuthFailur \(did you mean AuthFailure\?\)\n/);
      await post("my-evt-3", "AuthFailure");
      await dev.says(/ no handler {2}orders has none for AuthFailure\n/);
      await post("my-evt-3", "AuthFailure");
      await dev.says(/ no handler {2}orders has none for AuthFailure\n/);
      assert.doesNotMatch(dev.said(), /committed|left to SQS/);
    } finally {
      await dev.end();
    }
  });

  it("tells an event that came before from one that is committed", async () => {
    const dev = start(await folderOf(ORDERS), "--no-demo");
    try {
      const [, url] = await dev.says(/ready at (\S+)/);
      const body = JSON.stringify({
        id: "twice",
        event: { Type: "QuotaExceeded", Meta: { Key: "orders-key" } },
      });
      const post = () => fetch(`${url}/events/orders`, { method: "POST", body });
      await fetch(`${url}/sessions/orders-key`, {
        method: "PUT",
        body: JSON.stringify({ access_rights: { orders: { api_id: "orders", versions: ["Default"] } } }),
      });
      await post();
      await dev.says(/ committed /);
      await post();
      await dev.says(/ done before {1}its handlers ran for an earlier delivery/);
    } finally {
      await dev.end();
    }
  });

  it("ends a handler that never ends, and says so in words; meanwhile saves count, and so does Ctrl+C", async () => {
    const endless = { ...ORDERS, "handlers/quota.js": handler("quota", "for (;;);") };
    const { code, stderr } = await once(await folderOf(endless), "--set", "HANDLER_TIMEOUT_MS=300");
    assert.equal(code, 1);
    assert.equal(
      stderr,
      "gatehook: the sample event failed: handler quota ran longer than 300 ms and was stopped (HANDLER_TIMEOUT_MS says how long it may run)\n",
    );

    const busy = 'var end = Date.now() + 50; while (Date.now() < end); log("under way"); for (;;);';
    const folder = await folderOf({ ...ORDERS, "handlers/quota.js": handler("quota", busy) });
    const dev = startDevWith(EMBEDDED, folder, "--set", "HANDLER_TIMEOUT_MS=20000");
    running.push(dev);
    await dev.says(/under way/);
    await writeFile(join(folder, "handlers/quota.js"), handler("quota", ""));
    await dev.says(/saved +handlers\/quota\.js\n/);
    await dev.says(/release \w+ is live/);
    assert.equal(await dev.end("SIGINT"), 130, "the sample was under way");
    assert.match(
      dev.said(),
      /Gone with this stack: sessions, releases and 1 unfinished event\. --persist keeps them\.\n$/,
    );
    assert.doesNotMatch(dev.said(), / (handler|failed) +quota/);
  });

  describe("in a folder that is not right", () => {
    const refused = async (files: Record<string, string>) => {
      const { code, stderr, leftovers } = await once(await folderOf(files));
      assert.deepEqual([code, leftovers], [1, false]);
      return stderr;
    };

    it("names a definition that is empty", async () => {
      assert.match(
        await refused({ ...ORDERS, "apis/orders.json": "" }),
        /^error +apis\/orders\.json:1: the file is empty\n/,
      );
    });

    it("names what may not be read, and the rule", async () => {
      const folder = await folderOf(ORDERS);
      const closed = join(folder, "handlers");
      await chmod(folder, 0o755);
      await chmod(closed, 0o000);
      // Root may read all, so for a moment this is not root.
      const isRoot = process.geteuid?.() === 0;
      if (isRoot) process.seteuid?.("nobody");
      try {
        await assert.rejects(
          readFolder(folder, OWN_FOLDERS),
          ({ message }: Error) =>
            message ===
            `${closed} cannot be read: the system refuses it to this user. A file needs the right to read it, a folder also the right to enter it: set them with chmod, or name another folder with --dir`,
        );
      } finally {
        if (isRoot) process.seteuid?.("root");
        await chmod(closed, 0o755);
      }
    });
  });

  describe("on a port in use", () => {
    let dev: Dev;
    after(() => dev?.end());

    it("says when another gatehook has it, and which", async () => {
      const folder = await folderOf(ORDERS);
      dev = start(folder, "--no-demo");
      const [, port = ""] = await dev.says(/ready at http:\/\/127\.0\.0\.1:(\d+)/);
      await dev.says(/Ctrl\+C/);
      const way = `end that one with Ctrl+C in its terminal, or choose another port with --port, for example --port ${Number(port) + 1}\n`;
      const here = await runCli(["dev", "--dir", folder, "--port", port]);
      assert.deepEqual(
        [here.code, here.stderr],
        [
          1,
          `gatehook: port ${port} is in use by gatehook dev of this folder, process ${dev.process.pid}: ${way}`,
        ],
      );
      const elsewhere = await runCli(["dev", "--dir", await folderOf(ORDERS), "--port", port]);
      assert.deepEqual(
        [elsewhere.code, elsewhere.stderr],
        [1, `gatehook: port ${port} is in use by another gatehook dev: ${way}`],
      );
    });

    it("says how to go on when it is something else's", async () => {
      const server = createServer((_, response) => response.end('{"error":{"code":"other"}}'));
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
      const { port } = server.address() as AddressInfo;
      const { code, stderr } = await runCli(["dev", "--dir", await folderOf(ORDERS), "--port", String(port)]);
      server.close();
      assert.equal(code, 1);
      assert.match(stderr, new RegExp(`^gatehook: port ${port} is in use: stop what listens there`));
    });
  });

  it("keeps what it has by --persist, without what the folder has no more", async () => {
    const counts = `
      var session = JSON.parse(TykGetKeyData(event.Meta.Key, context.APIID));
      session.quota_remaining = (session.quota_remaining || 0) + 1;
      TykSetKeyData(event.Meta.Key, JSON.stringify(session), 1);`;
    const folder = await folderOf({ ...ORDERS, "handlers/quota.js": handler("quota", counts) });
    const spare = join(folder, "handlers/spare.js");
    await writeFile(spare, "");
    for (const [was, is] of [
      [0, 1],
      [1, 2],
    ]) {
      const dev = startDevWith(EMBEDDED, folder, "--persist");
      running.push(dev);
      try {
        await dev.says(new RegExp(`before +quota_remaining ${was}\n.*after +quota_remaining ${is}\n`));
        await dev.says(/Ctrl\+C/);
        const { stdout } = await runCli(["push", "--local", "--dry-run", "--dir", folder]);
        assert.doesNotMatch(stdout, /would (upload|remove)/, "the bucket has what the folder has");
      } finally {
        assert.equal(await dev.end("SIGINT"), 0);
      }
      const kept = `Kept in ${join(folder, ".gatehook/data")} for the next start with --persist: sessions and releases.`;
      assert.ok(dev.said().endsWith(`\n${kept}\n`), dev.said());
      await rm(spare, { force: true });
    }
  });

  it("keeps its folder out of repositories, and what connects to it from other users", async () => {
    const folder = await folderOf(ORDERS);
    const dev = start(folder, "--no-demo", "--set", "INGEST_TOKEN=a-secret-of-some-length");
    await dev.says(/Ctrl\+C/);
    const file = join(folder, ".gatehook/local.json");
    assert.equal((await stat(file)).mode & 0o777, 0o600);
    assert.equal(await readFile(join(folder, ".gatehook/.gitignore"), "utf8"), "*\n");
    const text = await readFile(file, "utf8");
    assert.equal(JSON.parse(text).pid, dev.process.pid);
    assert.doesNotMatch(text, /a-secret/);
    assert.equal(await dev.end("SIGINT"), 0);
    await assert.rejects(stat(file), { code: "ENOENT" });
  });
});
