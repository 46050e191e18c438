import type { Api } from "../lib/apis/definition.ts";
import { loadAssets } from "../lib/runtime/assets.ts";
import type { LogLevel, Outcome, Script, ScriptError } from "../lib/runtime/protocol.ts";
import type { Runtime } from "../lib/runtime/runtime.ts";
import { createStarter, type Starter } from "../lib/runtime/starter.ts";
import type { Session } from "../lib/sessions/session.ts";
import { print, printError, printJson, printText } from "./print.ts";
import { linesOf } from "./printable.ts";
import { problemLines, textsOf } from "./problem-lines.ts";
import type { RunFolder } from "./run-folder.ts";
import { readText, UsageError } from "./usage.ts";

export interface RunOptions {
  handler?: string;
  event?: string;
  dir?: string;
  api?: string;
  org?: string;
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
  api_id: string;
  /** Null when the script did not load. */
  handler: string | null;
  logs: { level: Exclude<LogLevel, "raw">; message: string }[];
  rawlogs: string[];
  sessions: Record<string, Session>;
  http: { method: string; url: string; status: number }[];
  ms: number;
}

/** The API of a run that no definition is for. */
export const NO_API = { api_id: "demo", org_id: "demo-org" };

/** What runs for one event: the script comes last, after a core script. */
export interface Plan {
  scripts: Script[];
  script: Script;
  handler: string | undefined;
  api: Pick<Api, "api_id" | "org_id" | "config_data">;
  orgOf: (apiId: string) => string;
}

/** `gatehook run`: one script against one event, with sessions in memory. */
export async function run(asked: string | undefined, options: RunOptions): Promise<void> {
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
  const log = logTo(report, options);
  const starter = createStarter({
    assets: loadAssets(),
    limits: { timeoutMs: options.timeout },
    isolation: options.isolation,
    log,
  });
  // All else is loaded while the sandbox's thread starts.
  starter.prepare();
  try {
    await runOn(starter, asked, options, report, log);
  } finally {
    await starter.close();
  }
  conclude(report, options);
}

async function runOn(
  starter: Starter,
  asked: string | undefined,
  options: RunOptions,
  report: RunReport,
  log: (level: LogLevel, message: string) => void,
): Promise<void> {
  const hostHalf = await import("./run-host.ts");
  const event = await hostHalf.readEvent(options);
  const sessions = await hostHalf.readSessions(options.session);
  const plan = await planOf(asked, event.Type, options);
  report.api_id = plan.api.api_id;
  const runtime = await starter.start(plan.scripts);
  const deps = hostHalf.createDeps(options, report);
  try {
    const handler = await loadedHandler(runtime, plan, options, report);
    if (handler !== undefined && !options.json)
      printText(`run   ${handler} in ${plan.script.path}, for ${event.Type} of API ${plan.api.api_id}`);
    const times = handler === undefined ? 0 : options.repeat;
    for (let nth = 1; nth <= times && report.outcome === "done"; nth += 1) {
      const one = { runtime, plan, handler: handler ?? "", event, sessions, timeoutMs: options.timeout, nth };
      const outcome = await hostHalf.runOnce(one, deps, log);
      report.ms = Math.round(outcome.ms * 100) / 100;
      if (!outcome.ok) fail(report, outcome.code, outcome.error);
    }
    report.sessions = Object.fromEntries(sessions);
  } finally {
    await Promise.all([runtime.close(), deps.close()]);
  }
}

async function planOf(asked: string | undefined, type: string, options: RunOptions): Promise<Plan> {
  const { choose, openRunFolder } = await import("./run-folder.ts");
  const folder = await openRunFolder(options.dir, asked);
  tellProblems(folder);
  const chosen = await choose(folder, { ...options, script: asked, type });
  const script = { path: chosen.script, source: await readText(chosen.script, "script") };
  const api = chosen.api ?? { ...NO_API, ...(options.api !== undefined && { api_id: options.api }) };
  const orgs = new Map(folder?.apis.map((one) => [one.api.api_id, one.api.org_id]));
  const org = options.org ?? api.org_id;
  return {
    scripts: [...(folder?.core ?? []), script],
    script,
    handler: chosen.handler,
    api,
    orgOf: (apiId) => (apiId === api.api_id ? org : (orgs.get(apiId) ?? org)),
  };
}

/** A definition that cannot be read does not keep the others from being used. */
function tellProblems(folder: RunFolder | undefined): void {
  const textOf = textsOf(folder?.definitions ?? []);
  for (const problem of folder?.problems ?? []) printError(...problemLines("warning", problem, textOf));
}

function logTo(report: RunReport, { json }: RunOptions) {
  const say = json ? () => {} : print;
  return (level: LogLevel, message: string) => {
    if (level === "raw") report.rawlogs.push(message);
    else report.logs.push({ level, message });
    const [first, ...more] = linesOf(message);
    if (level === "raw") say(...linesOf(message));
    else say(`${level.padEnd(6)}${first}`, ...more.map((line) => `${"".padEnd(6)}${line}`));
  };
}

/** With a parser, which takes a moment to load: only where a script's text is looked at. */
const scriptReader = () => import("./run-script.ts");
const MAY_IMPORT = /\bimport\b/;

/** The handler that is to run; undefined where it or a script has a fault, which the report tells then. */
async function loadedHandler(
  runtime: Runtime,
  { scripts, script, handler: named }: Plan,
  options: RunOptions,
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
  if (found === "missing" && options.handler !== undefined) throw new UsageError(message);
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
