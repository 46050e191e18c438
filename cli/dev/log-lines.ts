/** One JSON line of a function's log. */
export interface LogLine {
  functionName: string;
  message: string;
  fields: Record<string, unknown>;
}

/** The fact of an invocation that failed as a whole: a crash, a timeout, an init error. */
export const FUNCTION_FAILED = "function failed";

/** Follows what the functions log. */
export interface LogLines {
  /** Give this to the stack. */
  onLine(functionName: string, line: string): void;
  /** And this: an error becomes a fact. */
  onError(error: Error): void;
  /** Every fact from now on; answers how to stop listening. */
  listen(listener: (fact: LogLine) => void): () => void;
}

/** `onOtherLine` gets the lines that are not JSON. Metrics are left out. */
export function createLogLines(onOtherLine: (functionName: string, line: string) => void): LogLines {
  const listeners = new Set<(fact: LogLine) => void>();
  const tell = (fact: LogLine) => {
    for (const listener of listeners) listener(fact);
  };
  return {
    onLine(functionName, line) {
      const fields = parseLine(line);
      if (!fields) return onOtherLine(functionName, line);
      if ("_aws" in fields) return; // metrics: they are for CloudWatch
      tell({ functionName, message: String(fields.message), fields });
    },
    onError({ message }) {
      const fields = { level: "ERROR", error: message };
      tell({ functionName: "consumer", message: FUNCTION_FAILED, fields });
    },
    listen(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

function parseLine(line: string): Record<string, unknown> | undefined {
  if (!line.startsWith("{")) return undefined;
  try {
    return JSON.parse(line) as Record<string, unknown>;
  } catch {
    return undefined;
  }
}
