import type { Limits, LogLevel } from "./protocol.ts";

/** Takes one line; what it does with it is the host's matter. */
export type WriteLog = (level: LogLevel, message: string) => void;

/** Counts what one run logs; answers the limit that a line breaks, if it breaks one. */
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

/** What one run logs, the script's lines and the host's; after a limit, one line that names it, and nothing more. */
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
 * The script's lines on their way to the run's log, one by one, so that what was said before a kill is kept. What
 * that log would drop is not sent, but for the line that breaks its limit: a flood would fill the main thread's queue.
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
