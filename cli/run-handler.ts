import type { GatewayEvent } from "../lib/events/event.ts";
import { loadAssets } from "../lib/runtime/assets.ts";
import type { LogLevel, Outcome, Script, ScriptError } from "../lib/runtime/protocol.ts";
import type { Runtime } from "../lib/runtime/runtime.ts";
import { createStarter, type Starter } from "../lib/runtime/starter.ts";
import type { Session } from "../lib/sessions/session.ts";
import type { RunFolder } from "./run-folder.ts";
import type { OneRun } from "./run-host.ts";
import { UsageError } from "./terminal/usage.ts";

/** The options of a run, in addition to its script. */
export interface RunSettings {
  handler?: string;
  dir?: string;
  api?: string;
  org?: string;
  timeout: number;
  isolation: "global" | "event";
  repeat: number;
  allowHost: string[];
}

/** The input of a run. */
export interface Given {
  event: GatewayEvent;
  /** The stored sessions. */
  sessions: Map<string, Session>;
}

/** Callbacks during a run. */
export interface Listener {
  log(level: LogLevel, message: string): void;
  /** The next run. */
  chosen(plan: Plan, handler: string, event: GatewayEvent): void;
  /** The folder of the script. */
  opened(folder: RunFolder): void;
}

/** The result of a run. */
export interface RunReport {
  outcome: "done" | "load-error" | Exclude<Outcome, { ok: true }>["code"];
  error: { code: string; message: string; stack: string } | null;
  api_id: string;
  /** Null if the script did not load. */
  handler: string | null;
  logs: { level: Exclude<LogLevel, "raw">; message: string }[];
  rawlogs: string[];
  sessions: Record<string, Session>;
  http: { method: string; url: string; status: number }[];
  ms: number;
}

/** The API of a run without a definition. */
const NO_API = { api_id: "demo", org_id: "demo-org" };

/** The scripts for one event: the script is the last one, after a core script. */
export interface Plan {
  scripts: Script[];
  script: Script;
  handler: string | undefined;
  /** The error for which the script cannot run. `atSources` maps the places in a text to the source files. */
  fault: ScriptError | undefined;
  atSources(text: string): string;
  api: OneRun["api"];
  orgOf: OneRun["orgOf"];
}

/** Runs one script against one event, with sessions in memory. */
export async function runHandler(
  asked: string | undefined,
  settings: RunSettings,
  read: () => Promise<Given>,
  listener: Listener,
): Promise<RunReport> {
  const report: RunReport = {
    outcome: "done",
    error: null,
    api_id: "",
    handler: null,
    logs: [],
    rawlogs: [],
    sessions: {},
    http: [],
    ms: 0,
  };
  let plan: Plan | undefined;
  const log = (level: LogLevel, said: string) => {
    const message = plan?.atSources(said) ?? said;
    if (level === "raw") report.rawlogs.push(message);
    else report.logs.push({ level, message });
    listener.log(level, message);
  };
  const starter = createStarter({
    assets: loadAssets(),
    limits: { timeoutMs: settings.timeout },
    isolation: settings.isolation,
    log,
  });
  // Everything else is loaded while the sandbox's thread starts.
  starter.prepare();
  try {
    const onPlan = (made: Plan) => {
      plan = made;
    };
    await runOn(starter, asked, settings, read, { ...listener, log, onPlan }, report);
  } finally {
    await starter.close();
  }
  return report;
}

async function runOn(
  starter: Starter,
  asked: string | undefined,
  settings: RunSettings,
  read: () => Promise<Given>,
  listener: Listener & { onPlan(plan: Plan): void },
  report: RunReport,
): Promise<void> {
  const hostHalf = await import("./run-host.ts");
  const { event, sessions } = await read();
  const plan = await planOf(asked, event.Type, settings, listener);
  report.api_id = plan.api.api_id;
  if (plan.fault) {
    fail(report, "load-error", plan.fault);
    return;
  }
  listener.onPlan(plan);
  const runtime = await starter.start(plan.scripts);
  const deps = hostHalf.createDeps(settings.allowHost, (call) => void report.http.push(call));
  try {
    const handler = await loadedHandler(runtime, plan, settings, report);
    if (handler !== undefined) listener.chosen(plan, handler, event);
    const times = handler === undefined ? 0 : settings.repeat;
    for (let nth = 1; nth <= times && report.outcome === "done"; nth += 1) {
      const one = {
        runtime,
        api: plan.api,
        orgOf: plan.orgOf,
        handler: handler ?? "",
        event,
        sessions,
        timeoutMs: settings.timeout,
        nth,
      };
      const outcome = await hostHalf.runOnce(one, deps, listener.log);
      report.ms = Math.round(outcome.ms * 100) / 100;
      if (!outcome.ok) fail(report, outcome.code, outcome.error);
    }
    report.sessions = Object.fromEntries(sessions);
  } finally {
    await Promise.all([runtime.close(), deps.close()]);
  }
  if (report.error) {
    report.error.message = plan.atSources(report.error.message);
    report.error.stack = plan.atSources(report.error.stack);
  }
}

async function planOf(
  asked: string | undefined,
  type: string,
  settings: RunSettings,
  listener: Listener,
): Promise<Plan> {
  const { choose, openRunFolder, readScript } = await import("./run-folder.ts");
  const folder = await openRunFolder(settings.dir, asked);
  if (folder) listener.opened(folder);
  const chosen = await choose(folder, { ...settings, script: asked, type });
  const { script, fault, atSources } = await readScript(chosen.script, folder?.dir);
  const api = chosen.api ?? { ...NO_API, ...(settings.api !== undefined && { api_id: settings.api }) };
  const orgs = new Map(folder?.apis.map((one) => [one.api.api_id, one.api.org_id]));
  const org = settings.org ?? api.org_id;
  return {
    scripts: [...(folder?.core ?? []), script],
    script,
    handler: chosen.handler,
    fault,
    atSources,
    api,
    orgOf: (apiId) => (apiId === api.api_id ? org : (orgs.get(apiId) ?? org)),
  };
}

/** Contains a parser, which takes time to load: only used if a script's text is analysed. */
const scriptReader = () => import("./run-script.ts");
const MAY_IMPORT = /\bimport\b/;

/** The handler to run; undefined if it or a script has an error, which is then in the report. */
async function loadedHandler(
  runtime: Runtime,
  { scripts, script, handler: named }: Plan,
  settings: RunSettings,
  report: RunReport,
): Promise<string | undefined> {
  const mayImport = scripts.some(({ source }) => MAY_IMPORT.test(source));
  const fault = runtime.faults[0] ?? (mayImport && (await scriptReader()).importFault(scripts));
  if (fault) {
    fail(report, "load-error", (await scriptReader()).errorOf(fault, scripts));
    return undefined;
  }
  const handler = named ?? (await (await scriptReader()).onlyHandler(runtime, script));
  report.handler = handler;
  const [found = "unreadable"] = await runtime.probe([handler]);
  if (found === "handler") return handler;
  const message = await (await scriptReader()).faultOfHandler(runtime, script, handler, found);
  if (found === "missing" && settings.handler !== undefined) throw new UsageError(message);
  fail(report, "load-error", { name: "", message, stack: "" });
  return undefined;
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
