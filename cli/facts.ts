/** One JSON line of a function's log. */
export interface Fact {
  functionName: string;
  message: string;
  fields: Record<string, unknown>;
}

/** Follows what the functions log. */
export interface Facts {
  /** Give this to the stack. */
  onLine(functionName: string, line: string): void;
  /** Every fact from now on; answers how to stop listening. */
  listen(listener: (fact: Fact) => void): () => void;
}

export function createFacts(onOtherLine: (functionName: string, line: string) => void): Facts {
  const listeners = new Set<(fact: Fact) => void>();
  return {
    onLine(functionName, line) {
      const fields = parseLine(line);
      if (!fields) return onOtherLine(functionName, line);
      for (const listener of listeners) listener({ functionName, message: String(fields.message), fields });
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
