// `gatehook/test`: runs handlers in an author's tests. Its declarations are part of the package, so they name no type
// of another module.
import { fileURLToPath } from "node:url";
import { type Given, runHandler as runWith } from "../cli/run-handler.ts";
import { parseEventText, parseSessionText, sampleEvent } from "../cli/run-input.ts";

// As in Lambda, for what scripts make of a date.
process.env.TZ = "UTC";

/** The event, the sessions and the settings of a run; all are optional. */
export interface HandlerOptions {
  /** As the gateway sends it; by default a KeyExpired event for the first of the sessions. */
  event?: { Type: string; Meta?: Record<string, unknown>; TimeStamp?: string; [member: string]: unknown };
  /** The sessions that are in the store before the run, by key; they are checked as those of a gateway are. */
  sessions?: Record<string, object>;
  /** The handler object; by default the one that a definition names for the script, or the script's only one. */
  handler?: string;
  /** The folder with apis/ and tykjs.js; by default the nearest one above the script. */
  dir?: string;
  /** The API of the event; by default the first that names the script, or `demo`. */
  api?: string;
  /** The handler's context.OrgID; by default that of the API, or `demo-org`. */
  org?: string;
  /** Time limit of the run in milliseconds of wall time, 5000 by default. */
  timeoutMs?: number;
  /** Hosts or CIDR ranges that may be called although they are not public, such as `127.0.0.1`; none by default. */
  allowHosts?: string[];
}

/** How a run ended, and what it did. */
export interface HandlerRun {
  /** `done`, or why the handler failed; `load-error` when the script did not load, or has no such handler. */
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
  /** Null after `done`. `code` is `load-error`, or `handler-` and the outcome, such as `handler-threw`. */
  error: { code: string; message: string; stack: string } | null;
  /** The API that the event was for. */
  api_id: string;
  /** The name of the handler that ran; null when the script did not load. */
  handler: string | null;
  /** The lines of `log` and `console`, in order. */
  logs: { level: "debug" | "info" | "warn" | "error"; message: string }[];
  /** The lines of `rawlog`, in order. */
  rawlogs: string[];
  /** The sessions that are in the store after the run, by key. What a failed handler wrote is not in it. */
  sessions: Record<string, Record<string, unknown>>;
  /** The HTTP requests of the handler, in order. They are real: nothing is mocked. */
  http: { method: string; url: string; status: number }[];
  /** How long the handler ran, in milliseconds; 0 when it did not run. */
  ms: number;
}

/**
 * Runs one handler script against one event, as `gatehook run` does: in QuickJS, with sessions and storage in memory.
 * HTTP requests are real. Each call has a sandbox of its own, which is closed before the promise settles.
 *
 * @param script a path, relative to the working directory, or a `file:` URL.
 * @returns how the run ended. A handler that throws, takes too long or does not load is an `outcome`, not a rejection.
 * @throws an `Error` when the script cannot be read, and when an event, a session or another option is not valid.
 *
 * @example
 * import assert from "node:assert/strict";
 * import { test } from "node:test";
 * import { runHandler } from "gatehook/test";
 *
 * test("a key that expired lives 1000 seconds longer", async () => {
 *   const session = { expires: 1000, access_rights: { demo: { api_id: "demo" } } };
 *   const run = await runHandler("handlers/session-editor.js", { sessions: { "demo-key": session } });
 *   assert.equal(run.outcome, "done");
 *   assert.equal(run.sessions["demo-key"].expires, 2000);
 * });
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
