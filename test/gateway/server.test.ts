import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { always, type Fault } from "./faults.ts";
import { sendRequest } from "./http.ts";
import { openRealGateway } from "./real.ts";
import { replay } from "./replay.ts";
import { type RunningGateway, startGateway } from "./server.ts";
import { configNamed, readTranscripts, SECRET } from "./transcripts.ts";

const transcripts = readTranscripts();
const headers = { "x-tyk-authorization": SECRET };
const LIST = { method: "GET", path: "/tyk/keys", headers };

/** At a time of nobody's recording. */
const start = (latencyMs = 0) =>
  startGateway({ config: configNamed(transcripts, "plain"), now: () => Date.UTC(2030, 0, 1), latencyMs });

const ask = ({ url }: RunningGateway) => sendRequest(new URL(url), LIST);

describe("the model behind HTTP", () => {
  test("answers as it does in process", async () => {
    const running: RunningGateway[] = [];
    const { differences, compared } = await replay(transcripts, "plain", async (options) => {
      const server = await startGateway(options);
      running.push(server);
      const { gateway: model, url } = server;
      return {
        model,
        async send(request) {
          const before = model.events.length;
          const said = await sendRequest(new URL(url), request);
          return { ...said, events: model.events.slice(before) };
        },
      };
    });
    for (const server of running) await server.close();
    assert.deepEqual(differences, []);
    assert.equal(compared, 252);
  });

  test("can be compared with the recordings as a gateway with keys and a clock of its own", async () => {
    for (const name of ["plain", "hash-legacy", "hash-murmur64", "hash-sha256"]) {
      let time = Date.UTC(2030, 0, 1);
      const config = configNamed(transcripts, name);
      const server = await startGateway({ config, now: () => time++ });
      const sleep = async (ms: number) => {
        time += ms;
      };
      const open = openRealGateway({ url: new URL(server.url), secret: SECRET, now: () => time, sleep });
      const { differences, compared } = await replay(transcripts, name, open);
      await server.close();
      assert.deepEqual(differences, [], name);
      assert.ok(compared > 150, `${name}: ${compared}`);
    }
  });

  test("leaves a client without an answer when it is unreachable", async () => {
    const server = await start();
    server.gateway.disturb(always({ kind: "unreachable" }));
    await assert.rejects(ask(server));
    server.gateway.disturb();
    assert.equal((await ask(server)).status, 200);
    await server.close();
  });

  test("breaks off in the middle of a body", async () => {
    const server = await start();
    server.gateway.disturb(always({ kind: "cut", bytes: 4 }));
    await assert.rejects(ask(server), { code: "ECONNRESET" });
    await server.close();
  });

  test("answers late by its latency and by what a fault adds", async () => {
    const server = await start(20);
    const slow: Fault = { kind: "slow", ms: 30 };
    server.gateway.disturb(always(slow));
    const before = performance.now();
    await ask(server);
    assert.ok(performance.now() - before >= 49); // timers may be early by a fraction
    await server.close();
  });

  test("does not wait for late answers when it closes", async () => {
    const server = await start();
    server.gateway.disturb(always({ kind: "slow", ms: 1e6 }));
    const asked = assert.rejects(ask(server));
    while (server.gateway.requests.length === 0) await new Promise(setImmediate);
    await server.close();
    await asked;
  });
});
