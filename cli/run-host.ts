import { text as readStream } from "node:stream/consumers";
import type { HostDeps } from "../lib/consumer/host.ts";
import { createEgress } from "../lib/egress/client.ts";
import { batchRequest, makeHttpRequest } from "../lib/egress/tyk-http.ts";
import { AppError } from "../lib/errors.ts";
import { type GatewayEvent, parseEvent } from "../lib/events/event.ts";
import { parseSession, type Session } from "../lib/sessions/session.ts";
import { createMemoryEntries, createStorage } from "../lib/storage/storage.ts";
import type { RunOptions, RunReport } from "./run.ts";
import { readText, UsageError } from "./usage.ts";

export { createHost } from "../lib/consumer/host.ts";

/** The host without a table: storage in memory, real HTTP. */
export function createDeps(options: RunOptions, report: RunReport): HostDeps & { close(): Promise<void> } {
  const egress = createEgress({
    allowHosts: options.allowHost,
    howToAllow: (host) => `to allow it, add --allow-host ${host}`,
    maxResponseBytes: 1_048_576,
  });
  const record = (entry: RunReport["http"][number]) => void report.http.push(entry);
  return {
    makeHttpRequest: (request, http) => makeHttpRequest(request, { egress, record, ...http }),
    batchRequest: (request, http) => batchRequest(request, { egress, record, ...http }),
    storage: createStorage({ entries: createMemoryEntries(), now: Date.now }),
    allowMasterKeys: false,
    now: Date.now,
    close: () => egress.close(),
  };
}

export async function readEvent(options: RunOptions): Promise<GatewayEvent> {
  if (options.event === undefined) return sampleEvent(Object.keys(options.session)[0] ?? "sample-key");
  const body =
    options.event === "-" ? await readStream(process.stdin) : await readText(options.event, "event");
  return asUsage(() => parseEvent(body, { apiId: options.api, fallbackId: "run" }).event, options.event);
}

export async function readSessions(files: Record<string, string>): Promise<Map<string, Session>> {
  const read = Object.entries(files).map(async ([key, file]) => {
    const text = await readText(file, "session");
    return [key, asUsage(() => parseSession(text), file)] as const;
  });
  return new Map(await Promise.all(read));
}

function asUsage<T>(parse: () => T, file: string): T {
  try {
    return parse();
  } catch (cause) {
    if (!(cause instanceof AppError)) throw cause;
    throw new UsageError(`${file}: ${cause.message}`, { cause });
  }
}

function sampleEvent(key: string): GatewayEvent {
  const Meta = {
    Message: "Attempted access from expired key.",
    OriginatingRequest: "",
    Path: "/",
    Origin: "203.0.113.7",
    Key: key,
  };
  return { Type: "KeyExpired", Meta, TimeStamp: "2026-01-02 03:04:05 +0000 UTC" };
}
