import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { toAttributes } from "../../lib/dynamo/attributes.ts";
import { CANARY_ORG } from "../../lib/gateway/canary.ts";
import { type GatewayState, sessionItem } from "../../lib/sessions/item.ts";
import type { Session } from "../../lib/sessions/session.ts";
import { noticeOf } from "../../local/bucket-watch.ts";
import { nameOf } from "./access.ts";
import { API } from "./files.ts";
import { covers } from "./policy.ts";
import { CANARY } from "./session-functions.ts";
import { batch, eventRequest, longPath, QUICK, SESSION, type World } from "./world.ts";

const post = (token: string) => eventRequest({ authorization: `Bearer ${token}` }, '{"Type":"KeyExpired"}');

const event = (Type: string, api = API) => batch({ Type, Key: "denied", api });

/** An item of the sessions table, as its stream brings it. */
const streamed = (key: string, session: Session | undefined, gateway: GatewayState) => ({
  Records: [
    {
      eventName: "MODIFY",
      dynamodb: { NewImage: toAttributes(sessionItem(key, session, 1, 0, gateway)), SequenceNumber: "100" },
    },
  ],
});

const look = (key: string) => ({
  Records: [{ messageId: "m", eventSource: "aws:sqs", body: JSON.stringify({ key }) }],
});

const sessionsRequest = (routeKey: string, queryStringParameters = {}) => ({
  routeKey,
  pathParameters: { key: "denied" },
  queryStringParameters,
  headers: {},
  requestContext: {},
  body: JSON.stringify({ org_id: "org", access_rights: { [API]: { api_id: API } } }),
});

const change = { base: SESSION, since: 0 };

/** What the run reaches where a delivery took long, and not otherwise. */
const BY_CHANCE: Record<string, RegExp[]> = {
  // Entries of several events that have been here before.
  consumer: [/^dynamodb:PartiQLUpdate .*-state /],
};

/** What the run cannot reach, and why it is allowed all the same. */
const UNREACHED: Record<string, RegExp[]> = {
  all: [
    // The Lambda service writes a function's output in its name.
    /^logs:(CreateLogStream|PutLogEvents) /,
  ],
  // What S3 asks for to say of a missing object that it is missing; it is no call.
  ingest: [/^s3:ListBucket /],
  // What a deleted session's marks say is in the ledger already, unless a consumer has died.
  sessions: [/^s3:ListBucket /, /^dynamodb:(BatchGetItem|PutItem) .*-state /],
  // When a commit fails for a reason that nobody foresaw, an innocent write tells whether that is the event's fault.
  consumer: [/^s3:ListBucket /, /^dynamodb:ConditionCheckItem .*-sessions$/],
  // Lambda keeps what the function failed at in its name.
  releaser: [/^sqs:SendMessage .*-releaser-failures$/],
  // Lambda reads the stream in the function's name.
  "gateway-sync": [
    /^dynamodb:(DescribeStream|GetRecords|GetShardIterator|ListStreams) /,
    /^dynamodb:(BatchGetItem|PutItem) .*-state event#/,
  ],
};

export function permissionSuite(world: () => World): void {
  describe("a packaged function's role", () => {
    it("that lacks a permission makes an error that names the action", async () => {
      await world().upload("never live"); // so that the releaser has something to write
      await Promise.all(Object.entries(DENIED).map(([name, cases]) => allNamed(name, cases)));
    });

    async function allNamed(name: string, cases: Record<string, () => unknown>): Promise<void> {
      const { gate, lines, start } = world().deployed(name);
      for (const [action, payload] of Object.entries(cases)) {
        const before = lines.length;
        gate.deny.add(action);
        const container = await start(QUICK);
        const error = await container.invoke(payload()).then(
          () => "",
          (thrown: Error) => thrown.message,
        );
        await container.close();
        gate.deny.delete(action);
        const told = [...lines.slice(before), error].some((line) =>
          line.includes(`not authorized to perform: ${action} `),
        );
        assert.ok(told, `${name} swallows that ${action} is denied: ${lines.slice(before)}`);
      }
    }

    const DENIED: Record<string, Record<string, () => unknown>> = {
      ingest: {
        "dynamodb:GetItem": () => post(world().gateway.secret),
        "s3:GetObject": () => post(world().gateway.secret),
        "sqs:SendMessage": () => post(world().gateway.secret),
      },
      consumer: {
        "dynamodb:BatchGetItem": () => event("KeyExpired"),
        "s3:GetObject": () => event("KeyExpired"),
        "dynamodb:PutItem": () => event("KeyExpired"),
        "dynamodb:GetItem": () => event("QuotaExceeded"),
        "dynamodb:DeleteItem": () => event("QuotaExceeded"),
        "sqs:SendMessage": () => event(""),
        "sqs:ChangeMessageVisibility": () => event("AuthFailure"),
        "dynamodb:UpdateItem": () => event("TokenDeleted", "gateway"),
        "ssm:GetParameter": () => event("KeyExpired"),
        "secretsmanager:GetSecretValue": () => event("KeyExpired"),
        "dynamodb:BatchWriteItem": () => event("AuthFailure"),
        "s3:PutObject": () => batch({ Type: "AuthFailure", Key: "denied", Path: longPath() }),
      },
      sessions: {
        "dynamodb:GetItem": () => sessionsRequest("GET /sessions/{key+}"),
        "dynamodb:PutItem": () => sessionsRequest("PUT /sessions/{key+}"),
        "dynamodb:Query": () => sessionsRequest("GET /sessions", { org_id: "org" }),
      },
      releaser: {
        "dynamodb:UpdateItem": () => noticeOf(["tykjs.js"]),
        "dynamodb:GetItem": () => ({}),
        "s3:ListBucket": () => ({}),
        "s3:GetObject": () => ({}),
        "s3:PutObject": () => ({}),
        "dynamodb:PutItem": () => ({}),
      },
      "gateway-sync": {
        "dynamodb:PutItem": () => streamed(world().createKey(), SESSION, { look: 0 }),
        "dynamodb:UpdateItem": () => look("denied"),
        "dynamodb:DeleteItem": () => streamed("denied", undefined, { change: { base: null, since: 0 } }),
        "sqs:SendMessage": () => streamed(world().createKey(), SESSION, { created: "another", change }),
        // Without the canary, which stays away since it was made before.
        "dynamodb:GetItem": () => {
          world().gateway.remove(CANARY, CANARY_ORG);
          return streamed("denied", SESSION, { look: 0 });
        },
      },
      reconcile: {
        "dynamodb:GetItem": () => ({}),
        "dynamodb:UpdateItem": () => ({}),
        "dynamodb:Scan": () => ({}),
      },
    };

    it("allows what the function asked for in this run, and nothing else but what no run can reach", () => {
      for (const { name, grants, gate } of world().functions.values()) {
        for (const access of gate.asked)
          assert.ok(
            grants.some((grant) => covers(grant, access)),
            `${name} may not ${nameOf(access)}`,
          );
        const unused = grants
          .filter((grant) => !gate.asked.some((access) => covers(grant, access)))
          .map(nameOf);
        const expected = [...(UNREACHED.all ?? []), ...(UNREACHED[name] ?? []), ...(BY_CHANCE[name] ?? [])];
        for (const grant of unused)
          assert.ok(
            expected.some((one) => one.test(grant)),
            `${name} never used ${grant}: take it out of its role`,
          );
        for (const one of UNREACHED[name] ?? [])
          assert.ok(
            unused.some((grant) => one.test(grant)),
            `${name} did use ${one}: take it off the list`,
          );
      }
    });
  });
}
