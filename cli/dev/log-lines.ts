/** One JSON line of a function's log. */
export interface LogLine {
  functionName: string;
  message: string;
  fields: Record<string, unknown>;
}

/** The message for an invocation that failed as a whole: a crash, a timeout, an init error. */
export const FUNCTION_FAILED = "function failed";

/** Follows the functions' logs. */
export interface LogLines {
  /** For the stack's `onLine`. */
  onLine(functionName: string, line: string): void;
  /** For the stack's `onError`: converts an error to a fact. */
  onError(error: Error): void;
  /** Receives every fact from now on; returns a function that stops listening. */
  listen(listener: (fact: LogLine) => void): () => void;
}

/** `onOtherLine` receives the lines that are not JSON. Metrics are omitted. */
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
