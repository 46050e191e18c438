/**
 * Every recorded request, in order, against the model. To hold a running gateway against the same recordings, set
 * - TYK_GATEWAY_URL: where it listens, such as http://127.0.0.1:8080
 * - TYK_GATEWAY_SECRET: its secret
 * - TYK_GATEWAY_CONFIG: which of the five configurations it has (plain, hash-legacy, …: transcripts.json, `configs`)
 * It must be empty, and have the APIs and policies of transcripts.json. What needs its Redis stopped is left out, and
 * its events are not looked at, as they go to its own webhooks.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createGateway } from "./model.ts";
import { openRealGateway } from "./real.ts";
import { assertHolds, replay } from "./replay.ts";
import { readTranscripts } from "./transcripts.ts";

const transcripts = readTranscripts();
const { TYK_GATEWAY_URL, TYK_GATEWAY_SECRET = "", TYK_GATEWAY_CONFIG = "plain" } = process.env;

const RECORDED = {
  plain: 252,
  "hash-legacy": 186,
  "hash-murmur64": 249,
  "hash-sha256": 186,
  "hash-murmur64-nolist": 186,
};

describe("the model answers byte for byte as the recorded gateway did", () => {
  for (const [config, requests] of Object.entries(RECORDED))
    test(`${config}: ${requests} requests`, async () => {
      const outcome = await replay(transcripts, config, async (options) => {
        const model = createGateway(options);
        return { model, send: async (request) => model.request(request) };
      });
      assertHolds(outcome);
      assert.equal(outcome.compared, requests);
    });
});

if (TYK_GATEWAY_URL)
  test(`the gateway at ${TYK_GATEWAY_URL} answers as the recorded one did`, async () => {
    const url = new URL(TYK_GATEWAY_URL);
    const open = openRealGateway({ url, secret: TYK_GATEWAY_SECRET });
    const outcome = await replay(transcripts, TYK_GATEWAY_CONFIG, open);
    assertHolds(outcome);
    assert.ok(outcome.compared > 0);
  });
