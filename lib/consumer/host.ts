import { AppError, errorText } from "../errors.ts";
import type { HostCallName } from "../runtime/protocol.ts";
import type { Host } from "../runtime/thread.ts";
import { applySet, blankPassword, formatSession, MISS, parseSession } from "../sessions/session.ts";
import type { RunBuffer } from "./unit-of-work.ts";

/** Sends a script's HTTP request; the JSON answer of the gateway's API, or undefined when it failed. */
export type MakeHttpRequest = (request: string, run: HttpRun) => Promise<string | undefined>;

export interface HttpRun {
  signal: AbortSignal;
  /** For the n-th request of a run that may change something: the same at every delivery of the event. */
  idempotencyKey: () => string;
  log: Host["log"];
}

export interface HostDeps {
  makeHttpRequest: MakeHttpRequest;
  allowMasterKeys: boolean;
  now: () => number;
}

/** The host's side of one run. */
export interface RunHost extends Host {
  /**
   * What failed on our side, such as the table being away. The script was told nothing true, so whatever it
   * made of that must not count: the run failed.
   */
  readonly failure: Error | undefined;
}

/** The gateway's JavaScript API on top of the unit of work. */
export function createHost(
  deps: HostDeps,
  run: {
    buffer: RunBuffer;
    eventId: string;
    handler: string;
    log: Host["log"];
    onRead: (key: string) => void;
  },
): RunHost {
  let sent = 0;
  let failure: Error | undefined;
  const idempotencyKey = () => {
    sent += 1;
    return `${run.eventId}:${run.handler}:${sent}`;
  };

  const calls: Record<HostCallName, (args: string[], signal: AbortSignal) => Promise<string | undefined>> = {
    async getKeyData([key = ""]) {
      run.onRead(key);
      const session = await run.buffer.read(key);
      return session ? formatSession(blankPassword(session)) : MISS;
    },
    async setKeyData([key = "", text = "", suppressReset = ""]) {
      const session = applySet(parseSession(text), {
        suppressReset: suppressReset === "1",
        now: Math.floor(deps.now() / 1000),
        allowMasterKeys: deps.allowMasterKeys,
      });
      await run.buffer.write(key, session);
      return undefined;
    },
    makeHttpRequest: ([request = ""], signal) =>
      deps.makeHttpRequest(request, { signal, idempotencyKey, log: run.log }),
  };

  return {
    log: run.log,
    get failure() {
      return failure;
    },
    async call(name, args, signal) {
      try {
        return await calls[name](args, signal);
      } catch (thrown) {
        if (!(thrown instanceof AppError))
          failure ??= new Error(`${name}: ${errorText(thrown)}`, { cause: thrown });
        run.log("error", `${name} failed: ${errorText(thrown)}`);
        return name === "getKeyData" ? MISS : undefined;
      }
    },
  };
}
