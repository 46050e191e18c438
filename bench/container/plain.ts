// The consumer that a user would write after reading about QuickJS, Lambda and DynamoDB: it reads a mark of done events
// and the session, runs the handler, and writes the session and the mark. `fresh`: records one after the other, each
// with its own context. `warm`: one context, records in parallel.
import { readFileSync } from "node:fs";
import { ConditionalCheckFailedException, DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { DynamoDBDocumentClient, GetCommand, PutCommand, UpdateCommand } from "@aws-sdk/lib-dynamodb";
import type { SQSBatchResponse, SQSEvent, SQSRecord } from "aws-lambda";
import { getQuickJS, type QuickJSContext, shouldInterruptAfterDeadline } from "quickjs-emscripten";

const { STATE_TABLE = "", SESSIONS_TABLE = "" } = process.env;
const isFresh = process.argv[2] === "plain fresh";
const dynamo = DynamoDBDocumentClient.from(new DynamoDBClient());
const QuickJS = await getQuickJS();

const SHIM = `var TykJS = { TykEventHandlers: { NewEventHandler: function () {
  this.NewHandler = function (run) { this.run = run; };
} } };
`;
const SCRIPT = readFileSync(new URL("../../handlers/session-editor.js", import.meta.url), "utf8");
const LEDGER_SECONDS = 1_209_600;
/** The limits in the examples of the QuickJS package, which are gatehook's defaults too. */
const TIMEOUT_MS = 5_000;
const MEMORY_BYTES = 64 * 1024 * 1024;

/** The session that the current handler reads, and what it writes. */
const current = { session: "", written: "", eventId: "" };

function newContext(): QuickJSContext {
  const vm = QuickJS.newContext();
  vm.runtime.setMemoryLimit(MEMORY_BYTES);
  const define = (name: string, run: (...args: string[]) => string | undefined) =>
    vm
      .newFunction(name, (...handles) => {
        const answer = run(...handles.map((handle) => vm.getString(handle)));
        return answer === undefined ? vm.undefined : vm.newString(answer);
      })
      .consume((handle) => vm.setProp(vm.global, name, handle));
  define("log", (text) => {
    console.log(JSON.stringify({ level: "info", event_id: current.eventId, message: text }));
    return undefined;
  });
  define("TykGetKeyData", () => current.session);
  define("TykSetKeyData", (_key, session = "") => {
    current.written = session;
    return undefined;
  });
  vm.unwrapResult(vm.evalCode(SHIM + SCRIPT)).dispose();
  return vm;
}

const warm = isFresh ? undefined : newContext();

function runHandler(eventId: string, event: object, session: object): Record<string, unknown> {
  Object.assign(current, { eventId, session: JSON.stringify(session), written: "" });
  const vm = warm ?? newContext();
  vm.runtime.setInterruptHandler(shouldInterruptAfterDeadline(Date.now() + TIMEOUT_MS));
  const context = { APIID: "demo", EventID: eventId };
  const call = `sessionEditor.run(${JSON.stringify(event)}, ${JSON.stringify(context)})`;
  vm.unwrapResult(vm.evalCode(call)).dispose();
  if (!warm) vm.dispose();
  return JSON.parse(current.written);
}

async function consume({ body }: SQSRecord): Promise<void> {
  const { id, event } = JSON.parse(body);
  const pk = `event#${id}`;
  const key = event.Meta.Key;
  const seconds = Math.floor(Date.now() / 1_000);
  const mark = { pk, status: "running", ttl: seconds + LEDGER_SECONDS };
  try {
    await dynamo.send(
      new PutCommand({ TableName: STATE_TABLE, Item: mark, ConditionExpression: "attribute_not_exists(pk)" }),
    );
  } catch (thrown) {
    if (thrown instanceof ConditionalCheckFailedException) return;
    throw thrown;
  }
  const { Item } = await dynamo.send(
    new GetCommand({ TableName: SESSIONS_TABLE, Key: { key }, ConsistentRead: true }),
  );
  if (!Item) throw new Error(`there is no session ${key}`);
  const session = runHandler(id, event, Item.session);
  const changed = {
    ...Item,
    session,
    expires: session.expires,
    version: Item.version + 1,
    updated_at: seconds,
  };
  await dynamo.send(new PutCommand({ TableName: SESSIONS_TABLE, Item: changed }));
  await dynamo.send(
    new UpdateCommand({
      TableName: STATE_TABLE,
      Key: { pk },
      UpdateExpression: "SET #status = :done",
      ExpressionAttributeNames: { "#status": "status" },
      ExpressionAttributeValues: { ":done": "done" },
    }),
  );
}

export async function main({ Records }: SQSEvent): Promise<SQSBatchResponse> {
  if (!isFresh) await Promise.all(Records.map(consume));
  else for (const record of Records) await consume(record);
  return { batchItemFailures: [] };
}
