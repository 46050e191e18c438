import { randomUUID } from "node:crypto";
import { PutCommand } from "@aws-sdk/lib-dynamodb";
import { createConsumerStore } from "../../lib/commit/store.ts";
import { createUnitOfWork } from "../../lib/commit/unit-of-work.ts";
import { createEgress } from "../../lib/egress/client.ts";
import { loadAssets } from "../../lib/runtime/assets.ts";
import type { Outcome } from "../../lib/runtime/protocol.ts";
import { startRuntime } from "../../lib/runtime/runtime.ts";
import { createHost } from "../../lib/tyk-api/host.ts";
import { batchRequest, makeHttpRequest } from "../../lib/tyk-api/http.ts";
import { createStorage } from "../../lib/tyk-api/storage.ts";
import { createEntryStore } from "../../lib/tyk-api/storage-store.ts";
import { startAws } from "../../local/aws.ts";
import { createClients, createResources } from "../../local/resources.ts";

/** The result of a piece of handler code. */
export interface Evaluated {
  outcome: Outcome;
  /** The value of the code, as JSON; undefined if it has none. */
  value: unknown;
  logs: string[];
  /** An error outside of the code. */
  failure: Error | undefined;
}

export interface HandlerApi {
  /** Runs the code as the body of a handler, against the embedded DynamoDB; commits what it wrote. */
  evaluate(code: string): Promise<Evaluated>;
  /** Puts the item of a session without any checks. */
  putItem(key: string, session: object): Promise<void>;
  close(): Promise<void>;
}

const EVALUATOR = `var evaluator = new TykJS.TykEventHandlers.NewEventHandler({});
evaluator.NewHandler(async function (event, context) {
  var value = await new (Object.getPrototypeOf(async function () {}).constructor)("event", "context", event.Meta.code)(event, context);
  rawlog("value " + JSON.stringify(value));
});`;

export async function startHandlerApi(options: { now?: () => number } = {}): Promise<HandlerApi> {
  const aws = await startAws(process.env);
  const clients = createClients(aws);
  const { env } = await createResources(clients, {
    prefix: `api-${randomUUID().slice(0, 8)}`,
    visibilitySeconds: 30,
    receiveLimit: 5,
  });
  const now = options.now ?? Date.now;
  const { dynamo, dynamoClient } = clients;
  const store = createConsumerStore({
    dynamo: dynamoClient,
    sessionsTable: env.SESSIONS_TABLE,
    stateTable: env.STATE_TABLE,
    ledgerTtlSeconds: 60,
    now,
    random: Math.random,
    newToken: randomUUID,
  });
  const egress = createEgress({ allowHosts: ["127.0.0.1"], maxResponseBytes: 100_000 });
  const deps = {
    makeHttpRequest: (request, run) => makeHttpRequest(request, { egress, ...run }),
    batchRequest: (request, run) => batchRequest(request, { egress, ...run }),
    storage: createStorage({
      entries: createEntryStore({
        dynamo,
        table: env.STATE_TABLE,
        newToken: randomUUID,
        random: Math.random,
      }),
      now,
    }),
    allowMasterKeys: false,
    now,
  } satisfies Parameters<typeof createHost>[0];
  const runtime = await startRuntime([{ path: "evaluator.js", source: EVALUATOR }], { assets: loadAssets() });

  return {
    async evaluate(code) {
      const id = randomUUID();
      const unit = createUnitOfWork(await store.read([{ identity: id, id }], []), store);
      const buffer = unit.startRun();
      const logs: string[] = [];
      let value: unknown;
      const host = createHost(deps, {
        buffer,
        event: id,
        handler: "evaluator",
        log: (level, message) => {
          if (level === "raw" && message.startsWith("value "))
            value = message === "value undefined" ? undefined : JSON.parse(message.slice(6));
          else logs.push(message);
        },
        onRead: () => {},
        orgOf: () => "org",
      });
      const event = JSON.stringify({ Type: "Test", Meta: { code }, TimeStamp: "" });
      const context = JSON.stringify({ APIID: "a", OrgID: "o", EventID: id });
      const outcome = await runtime.run({ handler: "evaluator", event, context, timeoutMs: 5_000 }, host);
      if (outcome.ok) await unit.accept(buffer, id, "evaluator");
      await unit.commit();
      return { outcome, value, logs, failure: host.failure };
    },
    async putItem(key, session) {
      await dynamo.send(
        new PutCommand({ TableName: env.SESSIONS_TABLE, Item: { key, session, version: 1 } }),
      );
    },
    async close() {
      await Promise.all([runtime.close(), egress.close()]);
      for (const client of Object.values(clients)) client.destroy();
      await aws.close();
    },
  };
}
