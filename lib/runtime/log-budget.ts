import type { Limits, LogLevel } from "./protocol.ts";

/** Receives one line. */
export type WriteLog = (level: LogLevel, message: string) => void;

/** Counts the log of one run; returns the limit that a line exceeds, if any. */
function createLogBudget(limits: Limits): (message: string) => string | undefined {
  let lines = limits.logRunLines;
  let bytes = limits.logRunBytes;
  return (message) => {
    lines -= 1;
    bytes -= Buffer.byteLength(message);
    if (lines < 0) return `handler-log-lines: ${limits.logRunLines} lines`;
    return bytes < 0 ? `handler-log-bytes: ${limits.logRunBytes} bytes` : undefined;
  };
}

/**
 * The log of one run, with the script's lines and the host's; after a limit, one line names it, and further lines are
 * dropped.
 */
export function createRunLog(limits: Limits, write: WriteLog): WriteLog {
  const spend = createLogBudget(limits);
  let full = false;
  return (level, message) => {
    if (full) return;
    const line = message.slice(0, limits.logLineChars);
    const limit = spend(line);
    if (limit === undefined) return write(level, line);
    full = true;
    write("warn", `${limit} is what a run may log; the rest is dropped`);
  };
}

/**
 * The worker's side of the same limits: lines that the run's log would drop are not sent to it, except the one that
 * exceeds a limit, since a flood would fill the main thread's queue.
 */
export function createLogSender(limits: Limits, send: WriteLog): WriteLog {
  const spend = createLogBudget(limits);
  let full = false;
  return (level, message) => {
    if (full) return;
    full = spend(message) !== undefined;
    send(level, message);
  };
}
