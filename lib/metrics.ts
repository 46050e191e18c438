import type { Reason } from "./queue/dead-letters.ts";

interface Metric {
  unit: "Count" | "Milliseconds";
  /** The dimension that it is also counted by, in addition to the sum. */
  by?: "code" | "reason";
  meaning: string;
}

/** Every metric; docs/metrics.md has the same list. */
export const METRICS = {
  EventsAccepted: { unit: "Count", meaning: "events that ingest put on the queue" },
  EventsRefused: { unit: "Count", by: "code", meaning: "requests that ingest rejected" },
  EventsTrimmed: {
    unit: "Count",
    meaning:
      "events accepted by ingest without their originating request, because they were too large for the queue",
  },
  EventsDone: { unit: "Count", meaning: "events whose handlers are all done and committed" },
  EventsFailed: { unit: "Count", meaning: "deliveries of an event that ended in a failure" },
  EventsUnstarted: {
    unit: "Count",
    meaning: "deliveries of an event that were not started, or not finished",
  },
  EventsRequeued: {
    unit: "Count",
    meaning:
      "events sent to the queue as new messages, so that waiting for others does not use up their receives",
  },
  EventsDropped: {
    unit: "Count",
    meaning: "events not run, because an event with the same id and API and other content was run before",
  },
  HandedBack: {
    unit: "Count",
    meaning: "records returned to the queue without a run, because a dependency had failed recently",
  },
  DeadLetters: { unit: "Count", by: "reason", meaning: "records moved to the dead-letter queue" },
  Runs: { unit: "Count", meaning: "handlers invoked for an event" },
  RunFailures: { unit: "Count", by: "code", meaning: "runs that failed" },
  RunTime: { unit: "Milliseconds", meaning: "duration of a run, including its host calls" },
  SandboxRebuilds: { unit: "Count", meaning: "sandboxes rebuilt after a run that broke them" },
  WorkersKilled: { unit: "Count", meaning: "worker threads that were terminated, or died" },
  WebhooksDelivered: { unit: "Count", meaning: "webhooks that their targets accepted" },
  WebhooksFailed: {
    unit: "Count",
    meaning: "webhook requests that failed; each is one attempt",
  },
  WebhooksPostponed: {
    unit: "Count",
    meaning: "webhooks that were postponed because their target did not answer other webhooks",
  },
  WebhooksCooled: {
    unit: "Count",
    meaning: "webhooks skipped because an equal one was delivered within the cool-down",
  },
  WebhooksGone: { unit: "Count", meaning: "webhooks switched off because their target answered 410" },
  WebhooksSkipped: { unit: "Count", meaning: "webhooks skipped because they are switched off" },
  WebhookTime: { unit: "Milliseconds", meaning: "duration of a webhook request" },
  EventsCoalesced: { unit: "Count", meaning: "events counted in a window of a handler" },
  WindowsClosed: { unit: "Count", meaning: "windows that were closed, each with one run" },
  Conflicts: {
    unit: "Count",
    meaning: "events run again because others changed a session that they had read",
  },
  PrefetchHits: { unit: "Count", meaning: "reads of sessions that were in memory already" },
  PrefetchMisses: { unit: "Count", meaning: "reads of sessions that needed a separate read of the table" },
  Reloads: {
    unit: "Count",
    meaning: "releases loaded into the runtime, including the first one of a container",
  },
  ReloadFailures: { unit: "Count", meaning: "releases that could not be loaded" },
  ReloadTime: { unit: "Milliseconds", meaning: "duration of loading a release" },
  ReleasesLive: { unit: "Count", meaning: "uploads that went live" },
  ReleasesPartlyLive: {
    unit: "Count",
    meaning: "uploads of which some APIs did not go live because of errors",
  },
  ReleasesRefused: {
    unit: "Count",
    meaning: "uploads that did not go live, or only in part, because of errors",
  },
  GatewayReads: { unit: "Count", meaning: "sessions read from the gateway for a handler" },
  GatewayReadFailures: {
    unit: "Count",
    meaning: "such reads that failed: the handler got the session of the table",
  },
  AbsencesHeld: {
    unit: "Count",
    meaning:
      "keys that are missing at the gateway without proof: the canary is missing too, or there are too many",
  },
  SessionsDrift: {
    unit: "Count",
    meaning: "sessions that differ from the gateway's",
  },
  SessionsOverruled: {
    unit: "Count",
    meaning: "sessions with a change that a policy at the gateway overruled",
  },
  SessionsSynced: { unit: "Count", meaning: "keys that were settled between the table and the gateway" },
  SyncPostponed: { unit: "Count", meaning: "keys that could not be settled now, and are retried later" },
  SyncPostponedAge: {
    unit: "Milliseconds",
    meaning: "age of the change of such a key",
  },
  SyncRefused: { unit: "Count", meaning: "session changes that were rejected" },
  HistoryDropped: { unit: "Count", meaning: "attempts that could not be recorded" },
  RemainingTime: { unit: "Milliseconds", meaning: "time left of the timeout at the end of an invocation" },
} as const satisfies Record<string, Metric>;

/** Also the name of the metric in CloudWatch. */
export type MetricName = keyof typeof METRICS;

type Named<Shape> = {
  [Name in MetricName]: (typeof METRICS)[Name] extends Shape ? Name : never;
}[MetricName];
/** Counts with a dimension (`by`): one more metric for each code or reason. */
export type Coded = Named<{ by: string }>;
/** Counts without a dimension. */
export type Counted = Exclude<Named<{ unit: "Count" }>, Coded>;
/** Durations in ms. */
export type Observed = Named<{ unit: "Milliseconds" }>;

/** A value of a dimension: each is a separate metric, so there must be few. `internal` is for errors without a code. */
export type Code = Reason | "internal";

/** Counts and durations. Only names and codes are written: never a key, an event or a text. */
export interface Metrics {
  /** Adds `value`, 1 by default; 0 writes nothing. */
  count(name: Counted, value?: number): void;
  /** Adds one, by its code. */
  countBy(name: Coded, code: Code): void;
  observe(name: Observed, ms: number): void;
}
