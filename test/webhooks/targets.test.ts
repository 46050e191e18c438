// One request of a webhook over real connections, to targets that do what they should not.
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import { type AddressInfo, createServer as createTcpServer, type Server, type Socket } from "node:net";
import { text } from "node:stream/consumers";
import { after, describe, it } from "node:test";
import { createEgress } from "../../lib/egress/client.ts";
import { attempt } from "../../lib/webhooks/attempt.ts";
import { parseSecrets, verify } from "../../lib/webhooks/sign.ts";

const egress = createEgress({ allowHosts: ["127.0.0.1"], maxResponseBytes: 1024 });
const strict = createEgress({ allowHosts: [], maxResponseBytes: 1024 });
const closing: (() => void)[] = [];
after(async () => {
  await egress.close();
  await strict.close();
  for (const close of closing) close();
});

async function listening(server: Server) {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  closing.push(() => server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}
const serve = (listener: RequestListener) => {
  const server = createServer(listener);
  closing.push(() => server.closeAllConnections());
  return listening(server);
};
const raw = (onConnection: (socket: Socket) => void) =>
  listening(
    createTcpServer((socket) => {
      closing.push(() => socket.destroy());
      socket.on("error", () => {});
      onConnection(socket);
    }),
  );

const BODY = '{"event":"KeyExpired"}';
type Webhook = Parameters<typeof attempt>[1]["webhook"];

const sendTo = (
  target: string,
  { method = "POST", headers = [], ...deps }: Partial<Webhook & Parameters<typeof attempt>[0]> = {},
) =>
  attempt(
    { egress, timeoutMs: 5_000, now: Date.now, ...deps },
    {
      webhook: {
        kind: "webhook",
        entry: "webhook:test",
        method,
        target,
        headers,
        json: true,
        cooldownSeconds: 0,
      },
      id: "msg_1",
      body: BODY,
    },
  );

describe("a webhook's request", () => {
  it("is signed by each secret, so that whoever has one of them can tell", async () => {
    const received = Promise.withResolvers<{ headers: Map<string, string>; body: string }>();
    const url = await serve(async (request, response) => {
      const headers = new Map(Object.entries(request.headers).map(([name, value]) => [name, String(value)]));
      received.resolve({ headers, body: await text(request) });
      response.writeHead(202).end();
    });
    const [one, two] = [40, 41].map((byte) => `whsec_${Buffer.alloc(32, byte).toString("base64")}`);
    const secrets = parseSecrets("WEBHOOK_SECRETS", `${one} ${two}`);
    const { verdict, status } = await sendTo(url, { secrets });
    assert.deepEqual([verdict.kind, status], ["done", 202]);
    const given = await received.promise;
    for (const secret of [one ?? "", two ?? ""])
      assert.equal(verify(parseSecrets("S", secret), given, Date.now() / 1000).ok, true);
    const other = `whsec_${Buffer.alloc(32, 42).toString("base64")}`;
    assert.equal(verify(parseSecrets("S", other), given, Date.now() / 1000).ok, false);
  });

  it("has its body also as a GET, as the gateway's has", async () => {
    const received = Promise.withResolvers<string>();
    const url = await serve(async (request, response) => {
      received.resolve(`${request.method} ${await text(request)}`);
      response.end();
    });
    assert.equal((await sendTo(url, { method: "GET" })).verdict.kind, "done");
    assert.equal(await received.promise, `GET ${BODY}`);
  });

  it("ends at its deadline where the target never answers, or never comes to an end", async () => {
    const silent = await serve(() => {});
    const endless = await serve((_, response) => {
      response.writeHead(200);
      response.write("a");
    });
    for (const url of [silent, endless]) {
      const { verdict, status, isDown } = await sendTo(url, { timeoutMs: 200 });
      assert.equal(verdict.kind, "retry");
      assert.match("reason" in verdict ? verdict.reason : "", /stopped before the answer was complete/);
      assert.deepEqual([status, isDown], [undefined, true]);
    }
  });

  it("reads the beginning of an answer of any length, and does not wait for the rest", async () => {
    const sent = Promise.withResolvers<number>();
    const url = await serve((_, response) => {
      response.writeHead(200, { "Content-Length": 10 * 1024 * 1024 });
      const write = () => {
        while (!response.destroyed && response.write("x".repeat(64 * 1024)));
      };
      response.on("drain", write);
      response.on("close", () => sent.resolve(response.socket?.bytesWritten ?? 0));
      write();
    });
    const { verdict, answer } = await sendTo(url);
    assert.equal(verdict.kind, "done");
    assert.equal(answer, "x".repeat(1_024));
    assert((await sent.promise) < 10 * 1024 * 1024);
  });

  it("goes to no other address than its target's", async () => {
    let asked = 0;
    const inner = await serve((_, response) => {
      asked += 1;
      response.end();
    });
    const url = await serve((_, response) => response.writeHead(302, { Location: inner }).end());
    const { verdict, isDown } = await sendTo(url);
    assert.deepEqual(verdict, {
      kind: "retry",
      reason: "the target answered 302, and redirects are not followed",
    });
    assert.equal(isDown, false);
    const refused = await sendTo(inner, { egress: strict });
    assert.match(
      "reason" in refused.verdict ? refused.verdict.reason : "",
      /127\.0\.0\.1 is refused: loopback/,
    );
    assert.equal(asked, 0);
  });

  it("has failed where the answer is not whole, whatever its status", async () => {
    const broken = [
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\nabc\r\n",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
      "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\nab",
      "SSH-2.0-OpenSSH_9.6\r\n",
      "",
    ];
    for (const answer of broken) {
      const url = await raw((socket) => {
        socket.once("data", () => socket.end(answer));
      });
      const { verdict, status } = await sendTo(url);
      assert.deepEqual([verdict.kind, status], ["retry", undefined], JSON.stringify(answer));
    }
  });

  it("hears what the target asks for", async () => {
    const url = await serve((_, response) => response.writeHead(503, { "Retry-After": "120" }).end("busy"));
    const { verdict, answer, isDown } = await sendTo(url);
    assert.deepEqual(verdict, { kind: "retry", reason: "the target answered 503", retryAfter: 120 });
    assert.deepEqual([answer, isDown], ["busy", true]);
  });
});
