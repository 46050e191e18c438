import type { RuntimeOptions } from "../lib/runtime/runtime.ts";
import { choice, integer, invalid } from "./settings.ts";

type Env = Record<string, string | undefined>;

/** How handlers run; docs/settings.md has the defaults and what they mean. */
export function readRuntimeSettings(env: Env) {
  const isolation = choice(env, "RUNTIME_ISOLATION", ["global", "event"]);
  const workers = integer(env, "RUNTIME_WORKERS", 1, 1, 64);
  if (workers > 1 && isolation === "global")
    throw invalid(
      "RUNTIME_WORKERS",
      `is ${workers}, but where events share globals only one can run at a time`,
    );
  return { isolation, workers, limits: readLimits(env) } satisfies Partial<RuntimeOptions>;
}

function readLimits(env: Env) {
  return {
    timeoutMs: integer(env, "HANDLER_TIMEOUT_MS", 5_000, 1, 600_000),
    graceMs: integer(env, "HANDLER_GRACE_MS", 250, 10, 60_000),
    memoryBytes: integer(env, "RUNTIME_MEMORY_MB", 64, 8, 1_024) * 1024 * 1024,
    stackBytes: integer(env, "RUNTIME_STACK_KB", 256, 64, 1_024) * 1024,
    jobs: integer(env, "RUNTIME_MAX_JOBS", 1_000, 1, 1_000_000),
    logLineChars: integer(env, "LOG_MAX_LINE_CHARS", 65_536, 1, 1_048_576),
    logRunBytes: integer(env, "LOG_MAX_BYTES", 1_048_576, 1, 67_108_864),
    logRunLines: integer(env, "LOG_MAX_LINES", 1_000, 1, 1_000_000),
    httpCalls: integer(env, "HTTP_MAX_CALLS", 50, 0, 100_000),
    storageCalls: integer(env, "STORAGE_MAX_CALLS", 1_000, 0, 100_000),
    sessionCalls: integer(env, "SESSION_MAX_CALLS", 1_000, 0, 100_000),
  };
}
