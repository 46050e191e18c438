import { randomUUID } from "node:crypto";
import { AppError, errorText } from "../lib/errors.ts";
import type { Body } from "./send-body.ts";

/** Posts an event to the ingest of a local stack. Returns its id. Throws `local-failed` with ingest's answer. */
export async function postEvent(url: string, { api_id, event }: Body, signal?: AbortSignal): Promise<string> {
  const id = randomUUID();
  const [token = ""] = (process.env.INGEST_TOKEN ?? "").split(",");
  const answer = await fetch(`${url}/events/${encodeURIComponent(api_id)}`, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      ...(token.trim() && { authorization: `Bearer ${token.trim()}` }),
    },
    body: JSON.stringify({ id, event }),
    signal: signal ?? null,
  }).catch((cause: unknown) => {
    throw new AppError("local-failed", `ingest did not answer: ${errorText(cause)}`, { cause });
  });
  const text = await answer.text();
  if (answer.status === 202) return id;
  throw new AppError("local-failed", `ingest answered ${answer.status}: ${messageIn(text)}`);
}

function messageIn(text: string): string {
  try {
    return String(JSON.parse(text).error.message);
  } catch {
    return text.trim();
  }
}
