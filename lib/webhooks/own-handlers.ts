import { createHash } from "node:crypto";
import { parseTarget } from "../egress/url.ts";
import type { LogHandler, Webhook } from "./definition.ts";

/** A webhook or a log handler that gatehook runs instead of the gateway. */
export type OwnHandler = {
  /** Its name in the ledger, in log lines and in dead letters: unique for its event type. */
  entry: string;
} & (({ kind: "webhook" } & Webhook) | ({ kind: "log" } & LogHandler));

/** As in a definition; names of equal entries are made unique when all are known. */
export type NamedHandler = { name: string } & (
  | ({ kind: "webhook" } & Webhook)
  | ({ kind: "log" } & LogHandler)
);

const NAME_CHARS = 64;

/** Their names in the ledger. A target's path may be a secret, so a webhook without a name is named after its host. */
export function withEntries(handlers: NamedHandler[]): OwnHandler[] {
  const seen = new Map<string, number>();
  return handlers.map((named) => {
    const { name, ...handler } = named;
    const text = `${handler.kind}:${shortened(name) || ownName(named)}`;
    const nth = (seen.get(text) ?? 0) + 1;
    seen.set(text, nth);
    return { entry: nth === 1 ? text : `${text}#${nth}`, ...handler };
  });
}

function ownName(handler: NamedHandler): string {
  if (handler.kind === "log") return shortened(handler.prefix);
  const { method, target } = handler;
  return `${parseTarget(target).host}/${hashOf([method, target])}`;
}

const shortened = (text: string) =>
  text.length > NAME_CHARS ? `${text.slice(0, NAME_CHARS)}…${hashOf([text])}` : text;

const hashOf = (parts: string[]) =>
  createHash("sha256").update(JSON.stringify(parts)).digest("hex").slice(0, 8);
