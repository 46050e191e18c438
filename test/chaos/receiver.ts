import { randomBytes } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { setTimeout as delay } from "node:timers/promises";
import { Webhook } from "standardwebhooks";
import { between, createDeck, type Random } from "../helpers/random.ts";

/** The time that the consumers wait for an answer, in ms. */
export const PATIENCE_MS = 1_000;

/** The reactions of a receiver to a webhook; all but the first two fail its attempt. */
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

/** A received request, whatever the answer was. */
export interface Got {
  /** The last part of its target. */
  target: string;
  /** Its `webhook-id`. */
  id: string;
  body: string;
  /** For the webhook of a window: its number of events. */
  count?: number;
  /** Whether its signature is valid, checked with the library that receivers use. */
  isSigned: boolean;
  /** Whether it was answered in time as accepted. */
  isTaken: boolean;
}

/** A target of webhooks that fails at random. */
export interface Receiver {
  /** Host and port. */
  host: string;
  /** The secret of the consumers' signatures. */
  secret: string;
  got: Got[];
  byAnswer: Record<AnswerKind, number>;
  close(): Promise<void>;
}

/**
 * A webhook fails only at its first request: the second attempt is a few seconds later, and the third half a minute;
 * later attempts are tested with a fake clock (test/webhooks/delivery.test.ts). `isCalm`: whether webhooks no longer
 * fail.
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
