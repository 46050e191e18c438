/** The recordings in transcripts.json: what was asked of a gateway in five configurations, and what it said. */
import { readFileSync } from "node:fs";
import type { ApiDefinition, GatewayConfig, Policy } from "./config.ts";

export interface Transcripts {
  apis: ApiDefinition[];
  policies: Policy[];
  configs: ({ name: string } & Omit<GatewayConfig, "secret" | "apis" | "policies">)[];
  /** In order; `at` is in unix ms. Only what has a `case` was recorded, the rest is what it took to get there. */
  steps: ({ at: number } & Step)[];
}

export type Step =
  /** A gateway that nobody has used yet. */
  | { do: "start"; config: string }
  /** A client's requests to the first API. */
  | { do: "use"; key: string; times: number }
  | { do: "stop store" | "start store" | "empty store" }
  | ({ do: "unrecorded" } & Asked)
  | Recorded;

/** A request. The secret is the right one where none is given, and `null` for none. */
export interface Asked {
  method: string;
  path: string;
  secret?: string | null;
  authorization?: string;
  /** An object is sent as JSON. */
  body?: unknown;
}

export interface Recorded extends Asked {
  do?: undefined;
  case: string;
  status: number;
  /**
   * An object is JSON as Go writes it, with its line feed. Missing where `definition` is given, an API whose
   * definition was the answer, and for ten requests of which the status alone was kept.
   */
  answer?: unknown;
  definition?: string;
  /** As much of each as was kept. */
  events?: { api?: string; Type: string; Meta?: Record<string, unknown> }[];
}

export const SECRET = "SECRET";

export const readTranscripts = (): Transcripts =>
  JSON.parse(readFileSync(new URL("transcripts.json", import.meta.url), "utf8"));

export function configNamed({ apis, policies, configs }: Transcripts, name: string): GatewayConfig {
  const config = configs.find((one) => one.name === name);
  if (!config) throw new Error(`no configuration ${name}`);
  return { ...config, secret: SECRET, apis, policies };
}

/** Those of one configuration. */
export function stepsOf({ steps }: Transcripts, configName: string): Transcripts["steps"] {
  let current = "";
  return steps.filter((step) => {
    if (step.do === "start") current = step.config;
    return current === configName;
  });
}

/** Only what was recorded of them. */
export const recordedIn = (transcripts: Transcripts, configName: string): Recorded[] =>
  stepsOf(transcripts, configName).filter((step) => step.do === undefined);

/** The text of a recorded answer; undefined where none was kept. */
export function answerOf({ answer, definition }: Recorded, { apis }: Transcripts): string | undefined {
  const shown = definition === undefined ? answer : apis.find(({ api_id }) => api_id === definition);
  return shown === undefined || typeof shown === "string" ? shown : `${JSON.stringify(shown)}\n`;
}

/** How an answer is compared. */
export interface Comparison {
  /** Whether the times are those of the recording; of another clock's only that they are there can be compared. */
  clock: "recorded" | "own";
  /** Whether a list of keys is one that the gateway sorts. */
  isSorted: boolean;
}

/**
 * An answer without what differs between two gateways that work the same: the order of tags and of an unsorted list
 * of keys, and what a clock in ms cannot know of a time.
 */
export function normal(answer: string, { clock, isSorted }: Comparison): string {
  const lists = isSorted ? /"(tags)":\[([^\]]*)\]/g : /"(tags|keys)":\[([^\]]*)\]/g;
  const sorted = answer.replace(lists, (_, name, items) => `"${name}":[${items.split(",").sort()}]`);
  if (clock === "own")
    return sorted.replace(/"(date_created|last_updated|quota_renews)":(?:"[^"]*"|\d+)/g, '"$1":"a time"');
  return sorted.replace(
    /("date_created":"[^".]*\.\d{1,3})\d*Z/g,
    (_, time) => `${time.replace(/\.?0*$/, "")}Z`,
  );
}
