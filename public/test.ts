// `gatehook/test`: what an author's tests run handlers with. Its declarations are the package's, so they name no type of
// another module.
import { fileURLToPath } from "node:url";
import { type Given, runHandler as runWith } from "../cli/run-handler.ts";
import { parseEventText, parseSessionText, sampleEvent } from "../cli/run-input.ts";

// As in Lambda, for what scripts make of a date.
process.env.TZ = "UTC";

export interface HandlerOptions {
  /** As the gateway sends it; by default a KeyExpired event for the first of the sessions. */
  event?: { Type: string; Meta?: Record<string, unknown>; TimeStamp?: string; [member: string]: unknown };
  /** What is in the store before the run, by key. */
  sessions?: Record<string, object>;
  /** The handler object; by default the one that a definition names for the script, or the script's only one. */
  handler?: string;
  /** The folder with apis/ and tykjs.js; by default the nearest around the script. */
  dir?: string;
  /** The API of the event; by default the first that names the script, or `demo`. */
  api?: string;
  /** The handler's context.OrgID; by default that of the API, or `demo-org`. */
  org?: string;
  /** Wall time of the run, 5000 by default. */
  timeoutMs?: number;
  /** Hosts or CIDRs that are not public but may be called. */
  allowHosts?: string[];
}

/** How a run ended, and what it did. */
export interface HandlerRun {
  outcome:
    | "done"
    | "load-error"
    | "threw"
    | "timeout"
    | "memory"
    | "stack"
    | "jobs"
    | "http-calls"
    | "storage-calls"
    | "session-calls"
    | "killed";
  error: { code: string; message: string; stack: string } | null;
  api_id: string;
  /** Null when the script did not load. */
  handler: string | null;
  logs: { level: "debug" | "info" | "warn" | "error"; message: string }[];
  rawlogs: string[];
  /** What is in the store after the run, by key; what a failed handler wrote does not count. */
  sessions: Record<string, Record<string, unknown>>;
  /** The requests that it made, over the network. */
  http: { method: string; url: string; status: number }[];
  ms: number;
}

/**
 * Runs one handler script against one event, as `gatehook run` does: in QuickJS, with sessions in memory. A handler that
 * fails is an outcome; throws for a script that cannot be read, and for options that do not fit.
 */
export async function runHandler(
  script: string | { readonly href: string },
  options: HandlerOptions = {},
): Promise<HandlerRun> {
  const { handler, dir, api, org, timeoutMs: timeout = 5_000, allowHosts: allowHost = [] } = options;
  const settings = {
    ...(handler !== undefined && { handler }),
    ...(dir !== undefined && { dir }),
    ...(api !== undefined && { api }),
    ...(org !== undefined && { org }),
    timeout,
    allowHost,
    isolation: "global",
    repeat: 1,
  } as const;
  const silent = { log() {}, chosen() {}, opened() {} };
  const path = typeof script === "string" ? script : fileURLToPath(script.href);
  return runWith(path, settings, async () => given(options), silent);
}

/** As texts, so that what a test gives is checked as what a gateway sends. */
function given({ event, sessions = {}, api }: HandlerOptions): Given {
  const [firstKey = "sample-key"] = Object.keys(sessions);
  const read = Object.entries(sessions).map(
    ([key, session]) => [key, parseSessionText(textOf(session), `session ${key}`)] as const,
  );
  return {
    event: event ? parseEventText(textOf(event), "event", api) : sampleEvent(firstKey),
    sessions: new Map(read),
  };
}

const textOf = (value: object) => JSON.stringify(value) ?? "";
