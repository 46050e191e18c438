import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { ConditionalCheckFailedException } from "@aws-sdk/client-dynamodb";
import { GetCommand, PutCommand } from "@aws-sdk/lib-dynamodb";
import { keyName } from "../../functions/key-names.ts";
import type { HandlerReport } from "../../lib/consumer/outcome.ts";
import { errorText } from "../../lib/errors.ts";
import { sessionItem } from "../../lib/sessions/item.ts";
import type { Session } from "../../lib/sessions/session.ts";
import type { Stack } from "../../local/stack.ts";
import { FUNCTION_FAILED, type LogLine, type LogLines } from "./log-lines.ts";
import type { Handled } from "./sample-choice.ts";
import { gatewayTime, keyOf, sampleMeta } from "./sample-meta.ts";

/** The result of the sample event, as printed by `--once --json`. */
export interface SampleReport {
  outcome: "done" | "failed";
  event: { id: string; type: string };
  api_id: string;
  handler: string;
  release: string;
  logs: string[];
  /** Null if events of this type have no key. */
  session: { key: string; before: Session | undefined; after: Session | undefined } | null;
  ms: number;
  /** Only if it failed. */
  error?: string;
}

const WAIT_MS = 60_000;

/** The ingest URL of this API. */
export const eventsUrl = (stack: Stack, apiId: string) => `${stack.url}/events/${encodeURIComponent(apiId)}`;

/** An event as the gateway would send it, with a new key. */
export function sampleOf({ api, type }: Handled) {
  const { api_id: apiId, org_id: orgId } = api;
  const key = /^[\w.-]{1,100}$/.test(apiId) ? `${apiId}-key` : "sample-key";
  return { Type: type, Meta: sampleMeta(type, { apiId, orgId, key }), TimeStamp: gatewayTime(new Date()) };
}

/**
 * Stores a session for the key of the event, posts it, and waits until it is done or a dead letter. Undefined if `stop`
 * was aborted first.
 */
export async function sendSampleEvent(
  stack: Stack,
  facts: LogLines,
  handled: Handled,
  stop: AbortSignal,
): Promise<SampleReport | undefined> {
  const event = sampleOf(handled);
  const { api_id } = handled.api;
  const id = randomUUID();
  const key = keyOf(event.Meta);
  const before = key === undefined ? undefined : await storeSession(stack, key, handled);
  const started = performance.now();
  const way = followEvent(facts, id);
  const refused = await post(stack, api_id, { id, event }, stop);
  if (refused === undefined) await Promise.race([way.ended, aborted(stop)]);
  way.stop();
  if (stop.aborted) return undefined;
  const { error = refused, ...seen } = way.seen;
  return {
    outcome: error ? "failed" : "done",
    event: { id, type: event.Type },
    api_id,
    ...seen,
    session: key === undefined ? null : { key, before, after: await readSession(stack, key) },
    ms: Math.round(performance.now() - started),
    ...(error && { error }),
  };
}

const aborted = (signal: AbortSignal) => (signal.aborted ? undefined : once(signal, "abort"));

/** The log lines of an event until its end. */
function followEvent(facts: LogLines, id: string) {
  const seen: { handler: string; release: string; logs: string[]; error?: string } = {
    handler: "",
    release: "",
    logs: [],
  };
  const { promise: ended, resolve: end } = Promise.withResolvers<void>();
  const fail = (error: string) => {
    seen.error = error;
    end();
  };
  const unlisten = facts.listen(({ message, fields }) => {
    if (message === FUNCTION_FAILED) fail(String(fields.error));
    if (fields.event_id !== id) return;
    const [done] = (fields.handlers as HandlerReport[] | undefined) ?? [];
    seen.handler ||= String(fields.handler ?? done?.name ?? "");
    seen.release ||= String(fields.release ?? "");
    if (message === "script") seen.logs.push(String(fields.text));
    if (message === "handler failed") fail(handlerError(fields));
    if (message === "event to the dead letters") fail(`${fields.reason}: ${fields.error}`);
    if (message === "event done") end();
  });
  const timer = setTimeout(() => fail(`nothing came of the event within ${WAIT_MS / 1000} s`), WAIT_MS);
  timer.unref(); // otherwise Ctrl-C would wait for it
  return {
    seen,
    ended,
    stop() {
      clearTimeout(timer);
      unlisten();
    },
  };
}

const OUT_OF_TIME = ["handler-timeout", "handler-killed"];

function handlerError({ handler, error, code }: LogLine["fields"]): string {
  const text = String(error);
  const named = text.startsWith(`handler ${handler} `) ? text : `handler ${handler}: ${text}`;
  return OUT_OF_TIME.includes(String(code))
    ? `${named} (HANDLER_TIMEOUT_MS says how long it may run)`
    : named;
}

/** The reason why ingest rejected the event; undefined if it was accepted. */
async function post(
  stack: Stack,
  apiId: string,
  body: object,
  signal: AbortSignal,
): Promise<string | undefined> {
  try {
    const answer = await fetch(eventsUrl(stack, apiId), {
      method: "POST",
      headers: { "content-type": "application/json", ...authorization(stack) },
      body: JSON.stringify(body),
      signal,
    });
    const text = (await answer.text()).trim();
    return answer.status === 202 ? undefined : `ingest answered ${answer.status}: ${text}`;
  } catch (thrown) {
    return `ingest did not answer: ${errorText(thrown)}`;
  }
}

/** The header if INGEST_AUTH is token; any of several tokens is valid. */
function authorization({ env }: Stack): Record<string, string> {
  const [token] = (env.INGEST_TOKEN ?? "").split(",");
  return token?.trim() ? { authorization: `Bearer ${token.trim()}` } : {};
}

const nameInTable = (stack: Stack, key: string) => keyName(stack.env)(key);

async function readSession(stack: Stack, key: string): Promise<Session | undefined> {
  const { Item } = await stack.clients.dynamo.send(
    new GetCommand({
      TableName: stack.resources.SESSIONS_TABLE,
      Key: { key: nameInTable(stack, key) },
      ConsistentRead: true,
    }),
  );
  return Item?.session as Session | undefined;
}

/** A session that already exists, in tables that were kept, is not changed. */
async function storeSession(stack: Stack, key: string, handled: Handled): Promise<Session | undefined> {
  const now = Math.floor(Date.now() / 1000);
  const session = sampleSession(handled, now);
  try {
    await stack.clients.dynamo.send(
      new PutCommand({
        TableName: stack.resources.SESSIONS_TABLE,
        Item: sessionItem(nameInTable(stack, key), session, 1, now),
        ConditionExpression: "attribute_not_exists(#key)",
        ExpressionAttributeNames: { "#key": "key" },
      }),
    );
    return session;
  } catch (thrown) {
    if (!(thrown instanceof ConditionalCheckFailedException)) throw thrown;
    return readSession(stack, key);
  }
}

/** The session at the time when the gateway sends the event. */
function sampleSession({ api, type }: Handled, now: number): Session {
  const { api_id, name, org_id } = api;
  return {
    rate: 100,
    per: 60,
    expires: type === "KeyExpired" ? now - 60 : now + 3600,
    quota_max: 1000,
    quota_renews: now + 3600,
    quota_remaining: type === "QuotaExceeded" ? 0 : 1000,
    quota_renewal_rate: 3600,
    access_rights: { [api_id]: { api_name: name, api_id, versions: ["Default"] } },
    ...(org_id && { org_id }),
    alias: "a sample session",
  };
}
