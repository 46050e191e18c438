import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { noticeOf } from "../../local/bucket-watch.ts";
import { nameOf } from "./access.ts";
import { API } from "./files.ts";
import { covers } from "./policy.ts";
import { streamRecord } from "./session-functions.ts";
import { bodyOf, type World } from "./world.ts";

const post = (token: string) => ({
  headers: { authorization: `Bearer ${token}` },
  pathParameters: { api_id: API },
  body: '{"Type":"KeyExpired"}',
});

const batch = (Type: string) => ({
  Records: [
    {
      messageId: crypto.randomUUID(),
      body: bodyOf({ id: crypto.randomUUID(), Type, Key: "denied" }),
      attributes: { ApproximateReceiveCount: "1" },
      messageAttributes: {},
    },
  ],
});

const sessionsRequest = (routeKey: string, queryStringParameters = {}) => ({
  routeKey,
  pathParameters: { key: "denied" },
  queryStringParameters,
  headers: {},
  body: JSON.stringify({ org_id: "org", access_rights: { [API]: { api_id: API } } }),
});

/** What the run cannot reach, and why it is allowed all the same. */
const UNREACHED: Record<string, RegExp[]> = {
  all: [
    // The Lambda service writes a function's output in its name.
    /^logs:(CreateLogStream|PutLogEvents) /,
  ],
  // What S3 asks for to say of a missing object that it is missing; it is no call.
  ingest: [/^s3:ListBucket /],
  // What waited for others until half of its receives were used goes to the events queue anew; and when a commit fails
  // for a reason that nobody foresaw, an innocent write tells whether that is the event's fault.
  consumer: [/^s3:ListBucket /, /^sqs:SendMessage .*-events$/, /^dynamodb:ConditionCheckItem .*-sessions$/],
  // Lambda keeps what the function failed at in its name.
  releaser: [/^sqs:SendMessage .*-releaser-failures$/],
  // Lambda reads the stream in the function's name.
  "gateway-sync": [/^dynamodb:(DescribeStream|GetRecords|GetShardIterator|ListStreams) /],
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
        const container = await start({ RELEASE_QUIET_MS: "0" });
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
        "dynamodb:GetItem": () => post(world().secret),
        "s3:GetObject": () => post(world().secret),
        "sqs:SendMessage": () => post(world().secret),
      },
      consumer: {
        "dynamodb:BatchGetItem": () => batch("KeyExpired"),
        "s3:GetObject": () => batch("KeyExpired"),
        "dynamodb:PutItem": () => batch("KeyExpired"),
        "dynamodb:GetItem": () => batch("QuotaExceeded"),
        "dynamodb:DeleteItem": () => batch("QuotaExceeded"),
        "sqs:SendMessage": () => batch(""),
        "sqs:ChangeMessageVisibility": () => batch("AuthFailure"),
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
        "dynamodb:BatchGetItem": () => ({ Records: [streamRecord("fine")] }),
        "dynamodb:PutItem": () => {
          world().gateway.spoilt.add("denied");
          return { Records: [streamRecord("denied"), streamRecord("fine")] };
        },
        "sqs:SendMessage": () => ({ Records: [streamRecord("refused")] }),
        "dynamodb:Query": () => ({}),
        // What is parked since before.
        "dynamodb:UpdateItem": () => ({}),
        "dynamodb:DeleteItem": () => {
          world().gateway.spoilt.clear();
          return {};
        },
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
        const expected = [...(UNREACHED.all ?? []), ...(UNREACHED[name] ?? [])];
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
