import type { HandlerRef } from "../apis/definition.ts";
import { AppError } from "../errors.ts";
import type { Log } from "../log.ts";
import type { FailureCode, Outcome, ScriptError } from "../runtime/protocol.ts";
import type { Failure } from "./failure.ts";
import { createHost, type HostDeps, type RunHost } from "./host.ts";
import type { Loaded } from "./live-runtime.ts";
import type { Prefetch } from "./prefetch.ts";
import { type Delivery, receives } from "./records.ts";
import type { RunBuffer, UnitOfWork } from "./unit-of-work.ts";

export interface HandlerRunDeps extends HostDeps {
  log: Log;
  /** Wall time of one handler run. */
  timeoutMs: number;
}

export interface HandlerRun {
  unit: UnitOfWork;
  loaded: Loaded;
  delivery: Delivery;
  ref: HandlerRef;
  /** The handler's name in the ledger. */
  entry: string;
}

const REASONS: Record<FailureCode, string> = {
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
  const { log } = deps;

  async function accept(run: HandlerRun, buffer: RunBuffer): Promise<Omit<Failure, keyof Names> | undefined> {
    try {
      await run.unit.accept(buffer, run.delivery.envelope.id, run.entry);
      return undefined;
    } catch (thrown) {
      if (!(thrown instanceof AppError) || thrown.code !== "commit-impossible") throw thrown;
      return { kind: "final", reason: thrown.code, error: thrown.message };
    }
  }

  return async (run) => {
    const { unit, loaded, delivery, ref, entry } = run;
    const { envelope } = delivery;
    const facts = { ...namesOf(run), event_id: envelope.id, api_id: envelope.api_id };
    const buffer = unit.startRun();
    const host = createHost(deps, {
      buffer,
      eventId: envelope.id,
      handler: entry,
      log: (level, text) => log[LOG_LEVEL[level]]("script", { ...facts, text }),
      onRead: (key) => prefetch.learn(envelope, ref, key),
      orgOf: (apiId) => loaded.release.api(apiId)?.org_id ?? "",
    });
    const outcome = await loaded.runtime.run(
      {
        handler: ref.name,
        event: JSON.stringify(envelope.event),
        context: JSON.stringify(contextOf(run)),
        timeoutMs: deps.timeoutMs,
      },
      host,
    );
    const ms = Math.round(outcome.ms * 10) / 10;
    const failure = failureOf(outcome, host) ?? (await accept(run, buffer));
    if (!failure) {
      log.info("handler done", { ...facts, ms });
      return undefined;
    }
    const cost = outcome.ok ? {} : { sandbox: outcome.sandbox };
    log.error("handler failed", { ...facts, code: failure.reason, error: failure.error, ms, ...cost });
    return { ...namesOf(run), eventId: envelope.id, ...failure };
  };
}

interface Names {
  eventId?: string;
  handler?: string;
  release?: string;
}

const namesOf = ({ ref, loaded }: HandlerRun) => ({ handler: ref.name, release: loaded.release.version });

/** The handler's second argument: the gateway's two members, and what authors need beside them. */
function contextOf({ delivery, loaded, ref }: HandlerRun) {
  const { envelope, records } = delivery;
  const api = loaded.release.api(envelope.api_id);
  return {
    APIID: envelope.api_id,
    OrgID: envelope.org_id ?? api?.org_id ?? "",
    EventID: envelope.id,
    Handler: ref.name,
    Attempt: Math.max(...records.map(receives)),
    ...(api?.config_data && { config_data: api.config_data }),
  };
}

function failureOf(outcome: Outcome, { failure }: RunHost): Omit<Failure, keyof Names> | undefined {
  if (failure) {
    const kind = failure.code === "dependency-failed" ? "dependency" : "handler";
    return { kind, reason: failure.code, error: failure.message };
  }
  if (outcome.ok) return undefined;
  return { kind: "handler", reason: REASONS[outcome.code], error: errorLines(outcome.error) };
}

/** `TypeError: no` and the stack below it. */
function errorLines({ name, message, stack }: ScriptError): string {
  const first = [name, message].filter(Boolean).join(": ");
  return [first, stack.trimEnd()].filter(Boolean).join("\n");
}
