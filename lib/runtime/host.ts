import type { WriteLog } from "./log-budget.ts";
import type { HostCallName, RunUsed } from "./protocol.ts";

/** What a run may ask of the main thread, and where its log lines go. */
export interface Host {
  /** Must not reject; `undefined` is what a failed call gives the script. */
  call(name: HostCallName, args: string[], scope: CallScope): Promise<string | undefined>;
  /** The run is given to its thread, now or at this time in ms since 1970. */
  begin?(at?: number): void;
  /**
   * The script read the session of this key, in the name of this API, from what came with its run. `after`: in ms since
   * the run began.
   */
  gave?(key: string, apiId: string, after: number): void;
  /** Told before the run's end, where it is asked for; not of a run whose thread was ended. */
  used?(used: RunUsed): void;
  /** Is given no more than a run may log. */
  log: WriteLog;
}

/** What a host call has of the run that makes it. */
export interface CallScope {
  /** Aborts when the run ends first. */
  signal: AbortSignal;
  /** When the script made it, in ms since `begin`. */
  after: number;
  /** Counts as the script's own lines do. */
  log: WriteLog;
  /**
   * Counts the HTTP requests of a batch, before any is sent. False: that is more than the run may make. It ends with
   * this call, whose answer counts no more, and none of them may be sent.
   */
  admit(requests: number): boolean;
}
