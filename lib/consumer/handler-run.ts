import type { HandlerRef } from "../apis/definition.ts";
import { AppError } from "../errors.ts";
import type { Log } from "../log.ts";
import type { Metrics } from "../metrics.ts";
import type { FailureCode, Outcome, ScriptError } from "../runtime/protocol.ts";
import { changedByOf } from "../sessions/item.ts";
import type { ConfigOf } from "./config-data.ts";
import type { Reason } from "./dead-letters.ts";
import type { Failure } from "./failure.ts";
import { createHost, type HostDeps, type RunHost } from "./host.ts";
import type { Loaded } from "./live-runtime.ts";
import type { Prefetch } from "./prefetch.ts";
import { type Delivery, receives } from "./records.ts";
import { createSandboxCosts } from "./sandbox-costs.ts";
import type { RunBuffer, UnitOfWork } from "./unit-of-work.ts";

export interface HandlerRunDeps extends HostDeps {
  log: Log;
  metrics: Metrics;
  /** Wall time of one handler run. */
  timeoutMs: number;
  /** What scripts get of their API's config_data. */
  configOf: ConfigOf;
}

export interface HandlerRun {
  unit: UnitOfWork;
  loaded: Loaded;
  delivery: Delivery;
  ref: HandlerRef;
  /** The handler's name in the ledger. */
  entry: string;
}

const REASONS: Record<FailureCode, Reason> = {
  threw: "handler-threw",
  timeout: "handler-timeout",
  memory: "handler-memory",
  stack: "handler-stack",
  killed: "handler-killed",
  jobs: "handler-jobs",
  "http-calls": "handler-http-calls",
  "storage-calls": "handler-storage-calls",
  "session-calls": "handler-session-calls",
};

const LOG_LEVEL = { debug: "info", info: "info", raw: "info", warn: "warn", error: "error" } as const;

/** Runs one handler for one event; its writes become part of the unit of work when it succeeded. */
export function createHandlerRun(
  deps: HandlerRunDeps,
  prefetch: Prefetch,
): (run: HandlerRun) => Promise<Failure | undefined> {
  const { log, metrics } = deps;
  const countCosts = createSandboxCosts(deps);

  async function accept(run: HandlerRun, buffer: RunBuffer): Promise<Omit<Failure, keyof Names> | undefined> {
    try {
      await run.unit.accept(buffer, run.delivery.identity, run.entry);
      return undefined;
    } catch (thrown) {
      if (!(thrown instanceof AppError) || thrown.code !== "commit-impossible") throw thrown;
      return { kind: "final", reason: thrown.code, error: thrown.message };
    }
  }

  /** The handler's second argument: the gateway's two members, and what authors need beside them. */
  async function contextOf({ delivery, loaded, ref }: HandlerRun) {
    const { envelope, records } = delivery;
    const api = loaded.release.api(envelope.api_id);
    const config_data = api && (await deps.configOf(api));
    return {
      APIID: envelope.api_id,
      OrgID: envelope.org_id ?? api?.org_id ?? "",
      EventID: envelope.id,
      Handler: ref.name,
      Attempt: Math.max(...records.map(receives)),
      ...(config_data && { config_data }),
    };
  }

  function failed(
    run: HandlerRun,
    failure: Omit<Failure, keyof Names>,
    facts: Record<string, unknown>,
  ): Failure {
    metrics.countBy("RunFailures", failure.reason);
    log.error("handler failed", { ...facts, code: failure.reason, error: failure.error });
    return { ...namesOf(run), eventId: run.delivery.envelope.id, ...failure };
  }

  return async (run) => {
    const { unit, loaded, delivery, ref, entry } = run;
    const { envelope } = delivery;
    const facts = { ...namesOf(run), event_id: envelope.id, api_id: envelope.api_id };
    const context = await contextOf(run).catch(configFailure);
    if ("kind" in context) return failed(run, context, facts);
    const buffer = unit.startRun();
    const host = createHost(deps, {
      buffer,
      event: delivery.identity,
      handler: entry,
      changedBy: changedByOf(ref.name, envelope.event.Type, envelope.id),
      log: (level, text) => log[LOG_LEVEL[level]]("script", { ...facts, text }),
      onRead: (key) => prefetch.learn(envelope, ref, key),
      orgOf: (apiId) => loaded.release.api(apiId)?.org_id ?? "",
    });
    const outcome = await loaded.runtime.run(
      {
        handler: ref.name,
        event: JSON.stringify(envelope.event),
        context: JSON.stringify(context),
        timeoutMs: deps.timeoutMs,
      },
      host,
    );
    const ms = Math.round(outcome.ms * 10) / 10;
    metrics.count("Runs");
    metrics.observe("RunTime", ms);
    countCosts(loaded.runtime);
    const failure = failureOf(outcome, host, deps.timeoutMs) ?? (await accept(run, buffer));
    if (!failure) {
      log.info("handler done", { ...facts, ms });
      return undefined;
    }
    return failed(run, failure, { ...facts, ms, ...(!outcome.ok && { sandbox: outcome.sandbox }) });
  };
}

/** A store that is away is no outage: the events of other APIs can go on. */
function configFailure(thrown: unknown): Omit<Failure, keyof Names> {
  if (!(thrown instanceof AppError)) throw thrown;
  const kind = thrown.code === "dependency-failed" ? "conflict" : "handler";
  return { kind, reason: thrown.code, error: thrown.message };
}

interface Names {
  eventId?: string;
  handler?: string;
  release?: string;
}

const namesOf = ({ ref, loaded }: HandlerRun) => ({ handler: ref.name, release: loaded.release.version });

function failureOf(
  outcome: Outcome,
  { failure, stuckFor }: RunHost,
  timeoutMs: number,
): Omit<Failure, keyof Names> | undefined {
  if (failure) {
    const kind = failure.code === "dependency-failed" ? "dependency" : "handler";
    return { kind, reason: failure.code, error: failure.message };
  }
  if (outcome.ok) return undefined;
  // A script that spent most of its time on one answer of a table did not run too long: the table did.
  const stuck = outcome.code === "timeout" || outcome.code === "killed" ? stuckFor(timeoutMs / 2) : undefined;
  if (stuck) {
    const error = `${stuck} had no answer when the time of the run was over`;
    return { kind: "dependency", reason: "dependency-failed", error };
  }
  return { kind: "handler", reason: REASONS[outcome.code], error: errorLines(outcome.error) };
}

/** `TypeError: no` and the stack below it. */
function errorLines({ name, message, stack }: ScriptError): string {
  const first = [name, message].filter(Boolean).join(": ");
  return [first, stack.trimEnd()].filter(Boolean).join("\n");
}
