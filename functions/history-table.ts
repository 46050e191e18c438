import type { HistorySink } from "../lib/history/records.ts";
import { createRedaction, outlineRecord } from "../lib/history/redact.ts";
import { createTableSink } from "../lib/history/table-sink.ts";
import type { Log } from "../lib/log.ts";
import { createHistoryClients } from "./clients.ts";
import { once } from "./once.ts";
import type { Env } from "./settings.ts";

/** `secret`: the secret of the hashes of keys; `container`: the name of the writing process. */
export interface HistoryTableSettings {
  table: string;
  bucket: string;
  secret: string;
  content: "redacted" | "outline";
  ttlDays: number;
  container: string;
  log: Log;
}

/** The history of a deployment. In a module of its own, since few containers write one. */
export function createHistoryTable(
  env: Env,
  { secret, content, ...settings }: HistoryTableSettings,
): HistorySink {
  const { dynamo, s3 } = createHistoryClients(env);
  const { redact } = createRedaction(secret);
  return createTableSink({
    ...settings,
    dynamo,
    s3: once(s3),
    redact: content === "outline" ? (attempt) => outlineRecord(redact(attempt)) : redact,
    now: Date.now,
    random: Math.random,
  });
}
