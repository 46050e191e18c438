import { Agent, createServer, type IncomingMessage, type ServerResponse, request as send } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { webhookDoneKey, windowKey } from "../../lib/dynamo/state-keys.ts";

/** A call of one of AWS's JSON services. */
export interface Call {
  /** Such as `TransactWriteItems`. */
  operation: string;
  body: string;
}

/** The kind of a commit: a transaction, or separate puts of sessions and then of ledger entries. */
export type CommitKind = "transaction" | "session" | "entry";

export function commitKind({ operation, body }: Call): CommitKind | undefined {
  if (operation === "TransactWriteItems") return "transaction";
  if (operation !== "PutItem" && operation !== "BatchExecuteStatement") return undefined;
  if (/"S":"event#[^#]/.test(body)) return "entry";
  return /-sessions\\?"/.test(body) ? "session" : undefined;
}

/**
 * The notes of the other handlers: that a webhook was delivered; for a window, the counted events, that a message will
 * close it, and that it is closed.
 */
export type NoteKind = "webhook" | "window";

export function noteKind({ operation, body }: Call): NoteKind | undefined {
  if (operation === "PutItem" && body.includes(`"${webhookDoneKey("")}`)) return "webhook";
  return operation === "UpdateItem" && body.includes(`"${windowKey("")}`) ? "window" : undefined;
}

export interface Answer {
  status: number;
  headers: Record<string, string>;
  body: string;
}

/** An answer, or a connection that is closed without one. */
export type Outcome = Answer | "cut";

interface Change {
  body?: string;
  afterMs?: number;
}

/** Forwards the call, unchanged or with another body, now or later. */
export type Forward = (change?: Change) => Promise<Outcome>;

/** Decides what happens to a call. */
export type Step = (call: Call, forward: Forward) => Promise<Outcome>;

/** The first step is closest to the client, the last one closest to the service. */
export function inSteps(...steps: Step[]): Step {
  return steps.reduceRight((inner, outer) => (call, forward) => {
    const onward: Forward = (change) =>
      inner({ ...call, body: change?.body ?? call.body }, (further) => forward({ ...change, ...further }));
    return outer(call, onward);
  });
}

export interface DynamoProxy {
  url: string;
  /** Resolves when no calls are in progress, including those that are forwarded later. */
  idle(): Promise<void>;
  close(): Promise<void>;
}

/** A proxy between a client and a service; `step` decides on each call. */
export async function startProxy(upstream: string, step: Step): Promise<DynamoProxy> {
  const agent = new Agent({ keepAlive: true });
  const underWay = new Set<Promise<unknown>>();

  async function track<T>(work: Promise<T>): Promise<T> {
    underWay.add(work);
    try {
      return await work;
    } finally {
      underWay.delete(work);
    }
  }

  async function pass(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await textOf(request);
    const operation = String(request.headers["x-amz-target"] ?? "").split(".")[1] ?? "";
    const forward: Forward = (change = {}) =>
      track(delay(change.afterMs ?? 0).then(() => exchange(upstream, agent, request, change.body ?? body)));
    const answer = await step({ operation, body }, forward);
    if (answer === "cut") request.socket.destroy();
    else response.writeHead(answer.status, answer.headers).end(answer.body);
  }

  const server = createServer((request, response) => {
    pass(request, response).catch(() => request.socket.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async idle() {
      while (underWay.size > 0) await Promise.allSettled(underWay);
    },
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      agent.destroy();
    },
  };
}

async function textOf(stream: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}

/** The signature covers the original headers, but local engines do not check it. */
function exchange(upstream: string, agent: Agent, from: IncomingMessage, body: string): Promise<Answer> {
  const { host: _, connection: __, "content-length": ___, ...headers } = from.headers;
  return new Promise((resolve, reject) => {
    const options = {
      method: "POST",
      agent,
      headers: { ...headers, "content-length": Buffer.byteLength(body) },
    };
    const request = send(new URL(from.url ?? "/", upstream), options, (response) => {
      textOf(response).then((text) => {
        const { "transfer-encoding": _, connection: __, ...kept } = response.headers;
        resolve({
          status: response.statusCode ?? 500,
          headers: kept as Record<string, string>,
          body: text,
        });
      }, reject);
    });
    request.on("error", reject).end(body);
  });
}
