// An estimate of what a load needs on AWS: from measured costs of an event, with assumed prices, latencies and quotas.
// Quotas are AWS's defaults in most regions.

import { DEPLOYMENT_SETTINGS } from "../../lib/settings/deployment-settings.ts";
import { FUNCTION_SETTINGS } from "../../lib/settings/function-settings.ts";
import type { PipelineResult } from "../pipeline.ts";
import { GB, PRICE } from "../shared/prices.ts";

const MEMORY_MB = Number(DEPLOYMENT_SETTINGS.consumerMemory.default);
/** The memory at which a function has one processor. */
const MB_PER_CORE = 1_769;
const SECONDS_A_MONTH = 2_592_000;
/** A call's round trip to DynamoDB. */
const CALL_MS = 8;
const SESSION_BYTES = 2_000;
/** An entry of the index by organisation: three keys, and the 100 bytes that DynamoDB counts for each item. */
const INDEX_BYTES = 180;
/** A ledger entry, with the 100 bytes that DynamoDB counts for each item. */
const LEDGER_BYTES = 300;

const QUOTA = {
  concurrency: 1_000,
  pollerInvocations: 1_250,
  tableWriteUnits: 40_000,
  partitionReadUnits: 3_000,
  partitionWriteUnits: 1_000,
};

export interface Load {
  eventsPerSecond: number;
  keys: number;
  batch: number;
}

/** The figures of an event from bench:pipeline. */
export interface Measured {
  cpuMs: number;
  callsPerBatch: number;
  logBytes: number;
  readUnits: number;
  writes: PipelineResult["writes"];
}

export interface Limit {
  what: string;
  need: number;
  quota: number;
}

export interface Projection {
  load: Load;
  /** The duration of one invocation, in ms. */
  invocationMs: number;
  containers: number;
  writeUnitsPerSecond: number;
  readUnitsPerSecond: number;
  usdPerMillion: { what: string; usd: number }[];
  storedUsdPerMonth: number;
  /** The one nearest to its quota comes first. */
  limits: Limit[];
}

export function measuredOf({ rows, writes, read_units }: PipelineResult, batch: number): Measured {
  const row = rows.find((one) => one.side === "gatehook" && one.session === "2.7 KB" && one.batch === batch);
  if (!row) throw new Error(`bench:pipeline has no batch of ${batch}`);
  const { cpu_ms, aws_calls, log_bytes } = row;
  return {
    cpuMs: cpu_ms,
    callsPerBatch: aws_calls * batch,
    logBytes: log_bytes,
    readUnits: read_units,
    writes,
  };
}

export function project(load: Load, measured: Measured): Projection {
  const { eventsPerSecond, batch, keys } = load;
  const { cpuMs, callsPerBatch, logBytes, readUnits, writes } = measured;
  const invocationMs = (cpuMs * batch * MB_PER_CORE) / MEMORY_MB + callsPerBatch * CALL_MS;
  const invocations = eventsPerSecond / batch;
  const containers = (invocations * invocationMs) / 1_000;
  const written = writes.sessions + writes.indexes + writes.ledger;
  const gbSeconds = (invocationMs / 1_000) * (MEMORY_MB / 1_024);
  const usdPerMillion = [
    { what: "DynamoDB, writes", usd: written * PRICE.writeUnit },
    { what: "DynamoDB, reads", usd: readUnits * PRICE.readUnit },
    { what: "SQS", usd: (1 + 2 / batch) * PRICE.sqsRequest },
    { what: "Lambda, the consumer", usd: (PRICE.invocation + gbSeconds * PRICE.gbSecond) / batch },
    { what: "CloudWatch Logs", usd: (logBytes / GB) * PRICE.logGb },
  ].map(({ what, usd }) => ({ what, usd: usd * 1e6 }));
  const ledgerEntries = eventsPerSecond * FUNCTION_SETTINGS.LEDGER_TTL_SECONDS.default;
  const stored = keys * (SESSION_BYTES + INDEX_BYTES) + ledgerEntries * LEDGER_BYTES;
  const limits: Limit[] = [
    { what: "Lambda: functions that run at the same time", need: containers, quota: QUOTA.concurrency },
    { what: "SQS poller: invocations at the same time", need: containers, quota: QUOTA.pollerInvocations },
    {
      what: "DynamoDB: write units of the sessions' table",
      need: eventsPerSecond * writes.sessions,
      quota: QUOTA.tableWriteUnits,
    },
    {
      what: "DynamoDB: write units of the sessions' index",
      need: eventsPerSecond * writes.indexes,
      quota: QUOTA.tableWriteUnits,
    },
    {
      what: "DynamoDB: write units of the state table",
      need: eventsPerSecond * writes.ledger,
      quota: QUOTA.tableWriteUnits,
    },
    {
      what: "DynamoDB: read units of one partition, for the live release",
      need: invocations,
      quota: QUOTA.partitionReadUnits,
    },
    {
      what: "DynamoDB: write units of one partition of the index, if all keys are of one organisation",
      need: eventsPerSecond * writes.indexes,
      quota: QUOTA.partitionWriteUnits,
    },
  ];
  return {
    load,
    invocationMs,
    containers,
    writeUnitsPerSecond: eventsPerSecond * written,
    readUnitsPerSecond: eventsPerSecond * readUnits,
    usdPerMillion,
    storedUsdPerMonth: (stored / GB) * PRICE.storedGbMonth,
    limits: limits.sort((a, b) => b.need / b.quota - a.need / a.quota),
  };
}

export const usdPerMonth = ({ load, usdPerMillion, storedUsdPerMonth }: Projection) =>
  (usdPerMillion.reduce((sum, { usd }) => sum + usd, 0) * load.eventsPerSecond * SECONDS_A_MONTH) / 1e6 +
  storedUsdPerMonth;

/** The assumptions of the model, for the page. */
export const ASSUMED = { MEMORY_MB, MB_PER_CORE, CALL_MS, SESSION_BYTES, LEDGER_BYTES };
