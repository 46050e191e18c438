import { randomUUID } from "node:crypto";
import { GetCommand, PutCommand } from "@aws-sdk/lib-dynamodb";
import { keyName } from "../functions/key-names.ts";
import { AppError } from "../lib/errors.ts";
import { sessionItem } from "../lib/sessions/item.ts";
import type { Session } from "../lib/sessions/session.ts";
import type { Stack } from "../local/stack.ts";
import { type Facts, FUNCTION_FAILED } from "./facts.ts";

export const SAMPLE_API = "demo";
export const SAMPLE_KEY = "demo-key";

/** How the sample event went: what `--once --json` prints. */
export interface SampleReport {
  outcome: "done" | "failed";
  event: { id: string; type: string };
  api_id: string;
  handler: string;
  release: string;
  logs: string[];
  session: { key: string; before: Session; after: Session | undefined };
  ms: number;
  /** Only when it failed. */
  error?: string;
}

const WAIT_MS = 30_000;

/** Stores a session, posts a KeyExpired event for its key, and waits until the event is done or given up on. */
export async function sendSampleEvent(stack: Stack, facts: Facts): Promise<SampleReport> {
  const event = { Type: "KeyExpired", Meta: sampleMeta(), TimeStamp: gatewayTime(new Date()) };
  const id = randomUUID();
  const before = await storeSampleSession(stack);
  const report = { handler: "", release: "", logs: [] as string[] };
  const started = performance.now();
  let error: string | undefined;

  const { promise: ended, resolve: end } = Promise.withResolvers<void>();
  const stop = facts.listen(({ message, fields }) => {
    if (message === FUNCTION_FAILED) {
      error = String(fields.error);
      end();
    }
    if (fields.event_id !== id) return;
    report.handler ||= String(fields.handler ?? "");
    report.release ||= String(fields.release ?? "");
    if (message === "script") report.logs.push(String(fields.text));
    if (message === "handler failed") error = `handler ${fields.handler}: ${fields.error}`;
    if (message === "event to the dead letters") error = `${fields.reason}: ${fields.error}`;
    if (message === "event done" || error) end();
  });
  const timer = setTimeout(() => {
    error = `nothing came of the event within ${WAIT_MS / 1000} s; is its API ${SAMPLE_API} in apis/?`;
    end();
  }, WAIT_MS);
  timer.unref(); // or Ctrl-C would wait for it
  try {
    await post(stack, id, event);
    await ended;
  } finally {
    clearTimeout(timer);
    stop();
  }
  return {
    outcome: error ? "failed" : "done",
    event: { id, type: event.Type },
    api_id: SAMPLE_API,
    ...report,
    session: { key: SAMPLE_KEY, before, after: await readSession(stack) },
    ms: Math.round(performance.now() - started),
    ...(error && { error }),
  };
}

async function post(stack: Stack, id: string, event: object): Promise<void> {
  const answer = await fetch(`${stack.url}/events/${SAMPLE_API}`, {
    method: "POST",
    headers: { "content-type": "application/json", ...authorization(stack) },
    body: JSON.stringify({ id, event }),
  });
  if (answer.status !== 202) {
    throw new AppError("local-failed", `ingest answered ${answer.status}: ${(await answer.text()).trim()}`);
  }
}

/** Where INGEST_AUTH is token; of several tokens each counts. */
function authorization({ env }: Stack): Record<string, string> {
  const [token] = (env.INGEST_TOKEN ?? "").split(",");
  return token?.trim() ? { authorization: `Bearer ${token.trim()}` } : {};
}

const nameInTable = (stack: Stack) => keyName(stack.env)(SAMPLE_KEY);

async function readSession(stack: Stack): Promise<Session | undefined> {
  const { Item } = await stack.clients.dynamo.send(
    new GetCommand({
      TableName: stack.resources.SESSIONS_TABLE,
      Key: { key: nameInTable(stack) },
      ConsistentRead: true,
    }),
  );
  return Item?.session as Session | undefined;
}

async function storeSampleSession(stack: Stack): Promise<Session> {
  const now = Math.floor(Date.now() / 1000);
  const session: Session = {
    rate: 100,
    per: 60,
    expires: now - 60,
    quota_max: 1000,
    quota_renews: now + 3600,
    quota_remaining: 1000,
    quota_renewal_rate: 3600,
    access_rights: { [SAMPLE_API]: { api_name: "Demo", api_id: SAMPLE_API, versions: ["Default"] } },
    org_id: "demo-org",
    alias: "a sample session",
  };
  await stack.clients.dynamo.send(
    new PutCommand({
      TableName: stack.resources.SESSIONS_TABLE,
      Item: sessionItem(nameInTable(stack), session, 1, now),
    }),
  );
  return session;
}

function sampleMeta() {
  const request = ["GET /demo/get HTTP/1.1", "Host: gateway.example", "User-Agent: curl/8", "", ""].join(
    "\r\n",
  );
  return {
    Message: "Attempted access from expired key.",
    OriginatingRequest: Buffer.from(request).toString("base64"),
    Path: "/demo/get",
    Origin: "203.0.113.7",
    Key: SAMPLE_KEY,
  };
}

/** The gateway's time stamps are in Go's own form. */
function gatewayTime(date: Date): string {
  return `${date.toISOString().replace("T", " ").replace("Z", "")} +0000 UTC`;
}
