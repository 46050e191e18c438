import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { parseSecrets, signedHeaders } from "../../lib/webhooks/sign.ts";
import { runCli } from "../helpers/cli.ts";

const SECRET = `whsec_${Buffer.alloc(24, 7).toString("base64")}`;
const OTHER = `whsec_${Buffer.alloc(24, 8).toString("base64")}`;
const BODY = '\n{"event": "AuthFailure"}\n';

describe("gatehook webhook verify", () => {
  const now = Math.floor(Date.now() / 1000);
  const signed = signedHeaders(parseSecrets("S", SECRET), { id: "msg_1", timestamp: now, body: BODY });
  const flags = (headers: Record<string, string>) =>
    Object.entries(headers).flatMap(([name, value]) => ["--header", `${name}: ${value}`]);
  let folder = "";

  const file = async (name: string, text: string) => {
    await writeFile(join(folder, name), text);
    return name;
  };
  const verify = (args: string[], { input, secrets = SECRET }: { input?: string; secrets?: string } = {}) =>
    runCli(["webhook", "verify", ...args], {
      cwd: folder,
      env: { WEBHOOK_SECRETS: secrets },
      ...(input !== undefined && { input }),
    });

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "gatehook-"));
    await file("body", BODY);
  });
  after(() => rm(folder, { recursive: true }));

  it("takes a webhook that is signed, from a file with headers as options", async () => {
    const { code, stdout, stderr } = await verify(["body", ...flags(signed)]);
    assert.deepEqual([code, stderr], [0, ""]);
    assert.match(stdout, /^verified: msg_1 is signed by secret 1 of WEBHOOK_SECRETS$/m);
  });

  it("takes it from standard input, with headers as curl prints them, or as JSON", async () => {
    const lines = [
      "HTTP/1.1 200 OK",
      ...Object.entries(signed).map(([name, value]) => `${name.toUpperCase()}: ${value}`),
    ];
    for (const text of [`${lines.join("\r\n")}\r\n\r\n`, JSON.stringify(signed)]) {
      const { code, stdout } = await verify(["-", "--headers", await file("headers", text)], { input: BODY });
      assert.equal(code, 0, stdout);
    }
  });

  it("says with --json which secret it was", async () => {
    const { code, stdout } = await verify(["body", "--json", ...flags(signed)], {
      secrets: `${OTHER} ${SECRET}`,
    });
    assert.equal(code, 0);
    assert.deepEqual(JSON.parse(stdout), { result: "verified", id: "msg_1", timestamp: now, secret: 2 });
  });

  it("refuses another body, another secret, a missing header and an old time stamp, and says why", async () => {
    const old = signedHeaders(parseSecrets("S", SECRET), { id: "msg_1", timestamp: now - 3_600, body: BODY });
    const { "webhook-id": _, ...anonymous } = signed;
    const cases: [result: Awaited<ReturnType<typeof verify>>, reason: RegExp][] = [
      [await verify([await file("changed", `${BODY} `), ...flags(signed)]), /no signature fits/],
      [await verify(["body", ...flags(signed)], { secrets: OTHER }), /no signature fits/],
      [await verify(["body", ...flags(anonymous)]), /missing header: webhook-id/],
      [await verify(["body", ...flags(old)]), /36\d\d seconds ago: at most 300 are taken/],
    ];
    for (const [{ code, stdout, stderr }, reason] of cases) {
      assert.deepEqual([code, stdout], [1, ""]);
      assert.match(stderr.replaceAll(/\s+/g, " "), reason);
    }
    assert.equal((await verify(["body", "--tolerance", "4000", ...flags(old)])).code, 0);
    const { code, stdout } = await verify(["changed", "--json", ...flags(signed)]);
    assert.equal(code, 1);
    assert.match(stdout, /^\{"result":"refused","id":"msg_1","reason":"no signature fits/);
  });

  it("is called wrongly without a secret, a body, or headers of their form, and tells no secret", async () => {
    const cases = [
      await verify(["body", ...flags(signed)], { secrets: "" }),
      await verify(["body", ...flags(signed)], { secrets: "c2VjcmV0c2VjcmV0" }),
      await verify(["none", ...flags(signed)]),
      await verify(["body", "--header", "no name"]),
      await verify(["body", "--headers", "none"]),
      await verify(["body", "--headers", await file("bad.json", '{"x-token": "t0ken"')]),
    ];
    for (const { code, stdout, stderr } of cases) {
      assert.deepEqual([code, stdout], [2, ""], stderr);
      assert(!/c2VjcmV0|t0ken/.test(stderr), stderr);
    }
  });
});
