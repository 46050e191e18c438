import type { WriteLog } from "./log-budget.ts";
import type { HostCallName, RunUsed } from "./protocol.ts";

/** The main thread's functions for a run, and the target of its log lines. */
export interface Host {
  /** Must not reject; a failed call returns `undefined` to the script. */
  call(name: HostCallName, args: string[], scope: CallScope): Promise<string | undefined>;
  /** The run is sent to its thread, now or at this time in ms since 1970. */
  begin?(at?: number): void;
  /**
   * The script read the session of this key, for this API, from the data sent with its run. `after`: in ms since the
   * run began.
   */
  gave?(key: string, apiId: string, after: number): void;
  /** Called before the run's end, if recording is on; not for a run whose thread was terminated. */
  used?(used: RunUsed): void;
  /** Never gets more than a run may log. */
  log: WriteLog;
}

/** The context of a host call. */
export interface CallScope {
  /** Aborts when the run ends first. */
  signal: AbortSignal;
  /** When the script made it, in ms since `begin`. */
  after: number;
  /** Counts like the script's own lines. */
  log: WriteLog;
  /**
   * Counts the HTTP requests of a batch, before any is sent. False: the run may not make as many. The run ends with
   * this call, whose result is ignored, and none of them may be sent.
   */
  admit(requests: number): boolean;
}
