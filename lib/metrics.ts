import type { Reason } from "./queue/dead-letters.ts";

interface Metric {
  unit: "Count" | "Milliseconds";
  /** The dimension whose values it is counted by, beside all of them together. */
  by?: "code" | "reason";
  meaning: string;
}

/** Every metric there is; docs/metrics.md has the same list. */
export const METRICS = {
  EventsAccepted: { unit: "Count", meaning: "events that ingest put on the queue" },
  EventsRefused: { unit: "Count", by: "code", meaning: "requests that ingest did not take" },
  EventsTrimmed: {
    unit: "Count",
    meaning: "events that ingest took without their originating request, which was too large for the queue",
  },
  EventsDone: { unit: "Count", meaning: "events of which every handler is done and committed" },
  EventsFailed: { unit: "Count", meaning: "deliveries of an event that ended in a failure" },
  EventsUnstarted: {
    unit: "Count",
    meaning: "deliveries of an event that were not begun, or not to the end",
  },
  EventsRequeued: {
    unit: "Count",
    meaning: "events put on the queue anew, so that waiting for others does not use up their receives",
  },
  EventsDropped: {
    unit: "Count",
    meaning: "events not run, since another content came under the same id of the same API before",
  },
  HandedBack: { unit: "Count", meaning: "records given back untouched, since a dependency had just failed" },
  DeadLetters: { unit: "Count", by: "reason", meaning: "records moved to the dead-letter queue" },
  Runs: { unit: "Count", meaning: "handlers invoked for an event" },
  RunFailures: { unit: "Count", by: "code", meaning: "runs that failed" },
  RunTime: { unit: "Milliseconds", meaning: "what a run took, its host calls included" },
  SandboxRebuilds: { unit: "Count", meaning: "sandboxes built anew after a run that broke them" },
  WorkersKilled: { unit: "Count", meaning: "worker threads that were ended, or died" },
  WebhooksDelivered: { unit: "Count", meaning: "webhooks that their targets took" },
  WebhooksFailed: {
    unit: "Count",
    meaning: "requests of webhooks that failed, each of which is one attempt",
  },
  WebhooksPostponed: {
    unit: "Count",
    meaning: "webhooks that were not sent at their time, since their target did not answer others",
  },
  WebhooksCooled: {
    unit: "Count",
    meaning: "webhooks left out, since an equal one was delivered within the cool-down",
  },
  WebhooksGone: { unit: "Count", meaning: "webhooks switched off, since their target answered 410" },
  WebhooksSkipped: { unit: "Count", meaning: "webhooks left out, since they are switched off" },
  WebhookTime: { unit: "Milliseconds", meaning: "what a request of a webhook took" },
  EventsCoalesced: { unit: "Count", meaning: "events counted for a handler whose run stands for many" },
  WindowsClosed: { unit: "Count", meaning: "windows of such events that were closed, each for one run" },
  Conflicts: {
    unit: "Count",
    meaning: "events run again, since others changed a session that they had read",
  },
  PrefetchHits: { unit: "Count", meaning: "sessions that a run found in memory" },
  PrefetchMisses: { unit: "Count", meaning: "sessions that cost a run a read of its own" },
  Reloads: {
    unit: "Count",
    meaning: "releases loaded into the runtime, the first one of a container included",
  },
  ReloadFailures: { unit: "Count", meaning: "releases that could not be loaded" },
  ReloadTime: { unit: "Milliseconds", meaning: "what the loading of a release took" },
  ReleasesLive: { unit: "Count", meaning: "releases that went live by an upload" },
  ReleasesPartlyLive: {
    unit: "Count",
    meaning: "uploads of which some APIs did not go live, for their errors",
  },
  ReleasesRefused: {
    unit: "Count",
    meaning: "uploads that did not go live, or not as a whole, for their errors",
  },
  GatewayReads: { unit: "Count", meaning: "sessions that were read from the gateway for a handler" },
  GatewayReadFailures: {
    unit: "Count",
    meaning: "such reads that failed: the handler got what the table has",
  },
  AbsencesHeld: {
    unit: "Count",
    meaning:
      "keys that the gateway does not show, which is not believed: its canary is missing, or they are too many",
  },
  SessionsDrift: {
    unit: "Count",
    meaning: "sessions that were found to differ from what the gateway has",
  },
  SessionsOverruled: {
    unit: "Count",
    meaning: "sessions of which a policy at the gateway overruled a change",
  },
  SessionsSynced: { unit: "Count", meaning: "keys that were settled between the table and the gateway" },
  SyncPostponed: { unit: "Count", meaning: "keys that could not be settled now, and come again later" },
  SyncPostponedAge: {
    unit: "Milliseconds",
    meaning: "how long such a key had had something to be settled",
  },
  SyncRefused: { unit: "Count", meaning: "session changes that the gateway refused" },
  HistoryDropped: { unit: "Count", meaning: "attempts of events that the history did not keep" },
  RemainingTime: { unit: "Milliseconds", meaning: "what was left of its timeout when an invocation ended" },
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

/** A value of a dimension: each is a metric of its own, so there must be few. `internal` is what has no code. */
export type Code = Reason | "internal";

/** What happened, in numbers. Names and codes are all that is said: never a key, an event or a text. */
export interface Metrics {
  /** Adds `value`, 1 by default; 0 writes nothing. */
  count(name: Counted, value?: number): void;
  /** One more, by its code. */
  countBy(name: Coded, code: Code): void;
  observe(name: Observed, ms: number): void;
}
