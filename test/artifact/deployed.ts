import { type LocalFunction, startFunction } from "../../local/lambda/lambda.ts";
import type { Gate } from "./gate.ts";
import type { Grant } from "./policy.ts";

/** A packaged function, as it would run on AWS: from its zip, under its role, with the template's environment. */
export interface Deployed {
  name: string;
  grants: Grant[];
  gate: Gate;
  /** Each line that any of its containers wrote. */
  lines: string[];
  /** The first line that fits, among those that came already and those to come. */
  line(fits: (line: string) => boolean): Promise<string>;
  /** Starts a container; what is given takes the place of the template's environment. */
  start(changes?: Record<string, string | undefined>): Promise<LocalFunction>;
}

/** The function of a template, its references resolved. */
export interface FunctionProperties {
  FunctionName: string;
  Handler: string;
  Runtime: string;
  Timeout: number;
  MemorySize: number;
  Environment: { Variables: Record<string, string> };
}

export function createDeployed(options: {
  name: string;
  properties: FunctionProperties;
  grants: Grant[];
  gate: Gate;
  /** Where its zip was unpacked. */
  taskRoot: string;
  /** What Lambda itself sets, and where the services are. */
  env: Record<string, string>;
}): Deployed {
  const { properties, taskRoot } = options;
  const lines: string[] = [];
  const listeners = new Set<(line: string) => void>();
  return {
    ...options,
    lines,
    line: (fits) =>
      new Promise((resolve) => {
        const known = lines.find(fits);
        if (known !== undefined) return resolve(known);
        const listener = (line: string) => {
          if (!fits(line)) return;
          listeners.delete(listener);
          resolve(line);
        };
        listeners.add(listener);
      }),
    start(changes = {}) {
      const env = { ...options.env, ...properties.Environment.Variables, ...changes };
      return startFunction({
        name: properties.FunctionName,
        handler: properties.Handler,
        taskRoot,
        moduleEnding: ".mjs",
        env: Object.fromEntries(
          Object.entries(env).flatMap(([key, value]) => (value === undefined ? [] : [[key, value]])),
        ),
        timeoutMs: properties.Timeout * 1000,
        memoryMb: properties.MemorySize,
        onLine(line) {
          lines.push(line);
          for (const listener of listeners) listener(line);
        },
      });
    },
  };
}
