import type { RuntimeOptions } from "../lib/runtime/runtime.ts";
import { choice, type Env, integer, invalid } from "./settings.ts";

/** The settings of the runtime; docs/settings.md explains them and their defaults. */
export function readRuntimeSettings(env: Env) {
  const isolation = choice(env, "RUNTIME_ISOLATION");
  const workers = integer(env, "RUNTIME_WORKERS");
  if (workers > 1 && isolation === "global")
    throw invalid(
      "RUNTIME_WORKERS",
      `is ${workers}, but where events share globals only one can run at a time`,
    );
  return { isolation, workers, limits: readLimits(env) } satisfies Partial<RuntimeOptions>;
}

function readLimits(env: Env) {
  return {
    timeoutMs: integer(env, "HANDLER_TIMEOUT_MS"),
    graceMs: integer(env, "HANDLER_GRACE_MS"),
    memoryBytes: integer(env, "RUNTIME_MEMORY_MB") * 1024 * 1024,
    stackBytes: integer(env, "RUNTIME_STACK_KB") * 1024,
    jobs: integer(env, "RUNTIME_MAX_JOBS"),
    logLineChars: integer(env, "LOG_MAX_LINE_CHARS"),
    logRunBytes: integer(env, "LOG_MAX_BYTES"),
    logRunLines: integer(env, "LOG_MAX_LINES"),
    httpCalls: integer(env, "HTTP_MAX_CALLS"),
    storageCalls: integer(env, "STORAGE_MAX_CALLS"),
    sessionCalls: integer(env, "SESSION_MAX_CALLS"),
  };
}
