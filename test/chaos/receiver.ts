import { randomBytes } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { setTimeout as delay } from "node:timers/promises";
import { Webhook } from "standardwebhooks";
import { between, createDeck, type Random } from "../helpers/random.ts";

/** How long the consumers wait for an answer, in ms. */
export const PATIENCE_MS = 1_000;

/** What a receiver does with a webhook; all but the first two fail its attempt. */
export const ANSWER_KINDS = [
  "taken",
  "taken-late",
  "error",
  "too-many",
  "cut-before",
  "cut-after",
  "too-late",
] as const;
export type AnswerKind = (typeof ANSWER_KINDS)[number];

/** A request as it came, whatever it was answered. */
export interface Got {
  /** The last part of its target. */
  target: string;
  /** Its `webhook-id`. */
  id: string;
  body: string;
  /** Of a webhook for a window: how many events that has. */
  count?: number;
  /** Whether its signature fits, by the library that receivers use. */
  isSigned: boolean;
  /** It was answered in time that it is taken. */
  isTaken: boolean;
}

/** A target of webhooks that fails at random. */
export interface Receiver {
  /** Host and port. */
  host: string;
  /** What the consumers sign with. */
  secret: string;
  got: Got[];
  byAnswer: Record<AnswerKind, number>;
  close(): Promise<void>;
}

/**
 * A webhook fails at its first request alone: the second attempt is a few seconds later, the third half a minute, and what
 * becomes of it then is tested on a clock that needs no waiting (test/webhooks/delivery.test.ts). `isCalm`: nothing fails any more.
 */
export async function startReceiver({
  random,
  isCalm,
}: {
  random: Random;
  isCalm: () => boolean;
}): Promise<Receiver> {
  const secret = `whsec_${randomBytes(32).toString("base64")}`;
  const verifier = new Webhook(secret);
  const got: Got[] = [];
  const known = new Set<string>();
  const byAnswer = Object.fromEntries(ANSWER_KINDS.map((kind) => [kind, 0])) as Receiver["byAnswer"];
  const next = createDeck<AnswerKind>(random, ["taken", ...Array<"taken">(7).fill("taken"), ...ANSWER_KINDS]);

  function answerTo(id: string): AnswerKind {
    if (isCalm() || known.has(id)) return "taken";
    known.add(id);
    return next();
  }

  const isSigned = (body: string, headers: IncomingMessage["headers"]) => {
    try {
      verifier.verify(body, headers as Record<string, string>);
      return true;
    } catch {
      return false;
    }
  };

  async function take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { headers, url = "", socket } = request;
    const id = String(headers["webhook-id"] ?? "");
    const kind = answerTo(id);
    byAnswer[kind] += 1;
    if (kind === "cut-before") return void socket.destroy();
    const body = await text(request);
    const [, count] = /^count=(\d+),/.exec(String(headers["gatehook-coalesced"] ?? "")) ?? [];
    got.push({
      target: url.slice(1),
      id,
      body,
      ...(count !== undefined && { count: Number(count) }),
      isSigned: isSigned(body, headers),
      isTaken: kind === "taken" || kind === "taken-late",
    });
    if (kind === "cut-after") return void socket.destroy();
    if (kind === "taken-late") await delay(between(random, 50, PATIENCE_MS / 2));
    if (kind === "too-late") await delay(PATIENCE_MS * 1.5);
    if (kind === "error") response.writeHead(500).end("broken");
    else if (kind === "too-many") response.writeHead(429, { "retry-after": "3" }).end();
    else response.writeHead(204).end();
  }

  const server = createServer((request, response) => {
    take(request, response).catch(() => request.socket.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    secret,
    got,
    byAnswer,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
