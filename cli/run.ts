import type { createHost as CreateHost, HostDeps } from "../lib/consumer/host.ts";
import type { RunBuffer } from "../lib/consumer/unit-of-work.ts";
import type { GatewayEvent } from "../lib/events/event.ts";
import { loadAssets } from "../lib/runtime/assets.ts";
import type { LogLevel, Outcome, ScriptError } from "../lib/runtime/protocol.ts";
import { type Runtime, startRuntime } from "../lib/runtime/runtime.ts";
import type { Session } from "../lib/sessions/session.ts";
import { print, printError, printJson } from "./print.ts";
import { linesOf } from "./printable.ts";
import { readText } from "./usage.ts";

export interface RunOptions {
  handler?: string;
  event?: string;
  api: string;
  org: string;
  session: Record<string, string>;
  timeout: number;
  isolation: "global" | "event";
  repeat: number;
  allowHost: string[];
  json?: boolean;
}

/** What `--json` prints. */
export interface RunReport {
  outcome: "done" | "load-error" | Exclude<Outcome, { ok: true }>["code"];
  error: { code: string; message: string; stack: string } | null;
  logs: { level: Exclude<LogLevel, "raw">; message: string }[];
  rawlogs: string[];
  sessions: Record<string, Session>;
  http: { method: string; url: string; status: number }[];
  ms: number;
}

/** `gatehook run`: one script against one event, with sessions in memory. */
export async function run(script: string, options: RunOptions): Promise<void> {
  const source = await readText(script, "script");
  const say = options.json ? () => {} : print;
  const report: RunReport = {
    outcome: "done",
    error: null,
    logs: [],
    rawlogs: [],
    sessions: {},
    http: [],
    ms: 0,
  };
  const log = (level: LogLevel, message: string) => {
    if (level === "raw") report.rawlogs.push(message);
    else report.logs.push({ level, message });
    const [first, ...more] = linesOf(message);
    if (level === "raw") say(...linesOf(message));
    else say(`${level.padEnd(6)}${first}`, ...more.map((line) => `${"".padEnd(6)}${line}`));
  };
  // The host's half is loaded while the sandbox's thread starts.
  const starting = startRuntime([{ path: script, source }], {
    assets: loadAssets(),
    limits: { timeoutMs: options.timeout },
    isolation: options.isolation,
    log,
  });
  const hostHalf = await import("./run-host.ts");
  const runtime = await starting;
  const deps = hostHalf.createDeps(options, report);
  try {
    const event = await hostHalf.readEvent(options);
    const sessions = await hostHalf.readSessions(options.session);
    const fault = runtime.faults[0];
    if (fault) fail(report, "load-error", (await scriptReader()).errorOf(fault, source));
    else {
      const handler = options.handler ?? (await (await scriptReader()).onlyHandler(runtime, script, source));
      for (let nth = 1; nth <= options.repeat && report.outcome === "done"; nth += 1) {
        await runOnce(
          runtime,
          { createHost: hostHalf.createHost, handler, event, options, sessions, report, log, nth },
          deps,
        );
      }
    }
    report.sessions = Object.fromEntries(sessions);
  } finally {
    await Promise.all([runtime.close(), deps.close()]);
  }
  conclude(report, options);
}

/** With a parser, which takes a moment to load: only where a script's text is looked at. */
const scriptReader = () => import("./run-script.ts");

interface OneRun {
  createHost: typeof CreateHost;
  handler: string;
  event: GatewayEvent;
  options: RunOptions;
  sessions: Map<string, Session>;
  report: RunReport;
  log: (level: LogLevel, message: string) => void;
  nth: number;
}

async function runOnce(runtime: Runtime, one: OneRun, deps: HostDeps): Promise<void> {
  const { createHost, handler, event, options, sessions, report, log, nth } = one;
  const written = new Map<string, Session | undefined>();
  const buffer: RunBuffer = {
    read: async (key) => (written.has(key) ? written.get(key) : sessions.get(key)),
    fullNameOf: (key) => key,
    write: async (key, { session }) => void written.set(key, session),
  };
  const id = `run-${nth}`;
  const host = createHost(deps, {
    buffer,
    event: id,
    handler,
    log,
    onRead: () => {},
    orgOf: () => options.org,
  });
  const context = { APIID: options.api, OrgID: options.org, EventID: id, Handler: handler, Attempt: 1 };
  const outcome = await runtime.run(
    { handler, event: JSON.stringify(event), context: JSON.stringify(context), timeoutMs: options.timeout },
    host,
  );
  report.ms = Math.round(outcome.ms * 100) / 100;
  if (!outcome.ok) return fail(report, outcome.code, outcome.error);
  // As in the consumer: what a failed handler wrote does not count.
  for (const [key, session] of written) {
    if (session) sessions.set(key, session);
    else sessions.delete(key);
  }
}

function fail(report: RunReport, outcome: RunReport["outcome"], error: ScriptError): void {
  const message = [error.name, error.message].filter(Boolean).join(": ");
  report.outcome = outcome;
  report.error = {
    code: outcome === "load-error" ? outcome : `handler-${outcome}`,
    message,
    stack: error.stack,
  };
}

function conclude(report: RunReport, options: RunOptions): void {
  if (report.outcome !== "done") process.exitCode = 1;
  if (options.json) {
    printJson(report);
    return;
  }
  for (const [key, session] of Object.entries(report.sessions))
    print(`session ${key} ${JSON.stringify(session)}`);
  print(`${report.outcome} in ${report.ms} ms`);
  if (report.error) printError(...linesOf(`${report.error.message}\n${report.error.stack}`.trimEnd()));
}
