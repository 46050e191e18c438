import middy from "@middy/core";
import type { APIGatewayProxyEventV2 } from "aws-lambda";
import { isAsked } from "../lib/gateway/asked.ts";
import { changedState } from "../lib/gateway/change.ts";
import type { Gateway } from "../lib/gateway/client.ts";
import { type KeyName, renamedRows, renamedSessionStore } from "../lib/gateway/hashed-keys.ts";
import { createReadThrough, withSessionReadThrough } from "../lib/gateway/read-through.ts";
import { createRows } from "../lib/gateway/rows.ts";
import { createReleaseReader } from "../lib/releases/reader.ts";
import { createReleaseStore } from "../lib/releases/store.ts";
import { createSessionsApi } from "../lib/sessions/api.ts";
import type { StoredSession } from "../lib/sessions/item.ts";
import { type SessionEnd, sessionEnd } from "../lib/sessions/lifetime.ts";
import { createSessionStore } from "../lib/sessions/store.ts";
import { createDocuments, createDynamo, createS3 } from "./clients.ts";
import { gatewayOptions, perInvocation } from "./gateway.ts";
import { httpErrors } from "./http-errors.ts";
import { hashFunction, keyName } from "./key-names.ts";
import { createLog } from "./log.ts";
import { createMetrics, withMetrics } from "./metrics.ts";
import { choice, flag, text } from "./settings.ts";

const { env } = process;
const log = createLog("sessions");
const metrics = createMetrics("sessions");
const chance = { random: Math.random, now: Date.now };
const dynamo = createDynamo();
const table = text(env, "SESSIONS_TABLE");
const owner = gatewayOptions(env);
const gateway = owner && perInvocation(owner);
const lifetimes = releasedLifetimes();
/** A gateway decides itself how long it keeps a session. */
const endOf = gateway ? undefined : lifetimes;
const answer = createSessionsApi({
  store: storeOf(keyName(env), gateway),
  byHash: hashFunction(env) && storeOf((hash) => hash, gateway && byHash(gateway)),
  changedState:
    gateway && ((stored: StoredSession, reset: boolean) => changedState(stored, { reset, now: Date.now() })),
  allowMasterKeys: flag(env, "ALLOW_MASTER_KEYS"),
  log,
  ...chance,
});

/** Sessions by the names that `nameOf` makes of what is asked for, completed by the gateway that owns them. */
function storeOf(nameOf: KeyName, asked: Pick<Gateway, "get"> | undefined) {
  const store = renamedSessionStore(createSessionStore({ dynamo, table, endOf, ...chance }), nameOf);
  if (!asked) return store;
  const complete = createReadThrough({
    ...renamedRows(createRows({ dynamo, table, now: Date.now }), nameOf),
    gateway: asked,
    mode: choice(env, "GATEWAY_READ"),
    isAsked,
    fullName: async (key) => key,
    read: store.read,
    log,
    metrics,
  });
  return withSessionReadThrough(store, complete);
}

/** How long the live release's APIs keep a session. */
function releasedLifetimes(): () => Promise<SessionEnd> {
  const release = createReleaseReader(
    createReleaseStore({
      s3: createS3(env),
      bucket: text(env, "FILES_BUCKET"),
      dynamo: createDocuments(dynamo),
      table: text(env, "STATE_TABLE"),
      now: Date.now,
    }),
  );
  return async () => {
    const apis = (await release({ fresh: true })) ?? { apis: [], api: () => undefined };
    return (session, now) => sessionEnd(session, apis, now);
  };
}

function byHash(asked: Pick<Gateway, "get">): Pick<Gateway, "get"> {
  return { get: (key, query) => asked.get(key, { ...query, hashed: true }) };
}

/** The routes of lib/sessions/api.ts. */
export const main = middy<APIGatewayProxyEventV2>()
  .use(withMetrics(metrics))
  .use(httpErrors(log))
  .handler(async (request) => {
    try {
      const { status, headers, body } = await answer({
        route: request.routeKey,
        key: request.pathParameters?.key ?? "",
        query: (request.queryStringParameters ?? {}) as Record<string, string>,
        ifMatch: request.headers["if-match"],
        body: Buffer.from(request.body ?? "", request.isBase64Encoded ? "base64" : "utf8").toString(),
      });
      return {
        statusCode: status,
        headers: { "content-type": "application/json", "cache-control": "no-store", ...headers },
        body: `${body}\n`,
      };
    } finally {
      await gateway?.end();
    }
  });
