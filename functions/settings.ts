import { AppError } from "../lib/errors.ts";

type Env = Record<string, string | undefined>;

/** Every setting of the software: what it is, and an example for the error that names it. docs/settings.md lists them. */
const SETTINGS = {
  EVENTS_QUEUE_URL: {
    what: "the URL of the events queue",
    example: "https://sqs.eu-west-1.amazonaws.com/123456789012/gatehook-events",
  },
  DEAD_LETTERS_QUEUE_URL: {
    what: "the URL of the dead-letter queue",
    example: "https://sqs.eu-west-1.amazonaws.com/123456789012/gatehook-dead-letters",
  },
  INGEST_AUTH: {
    what: "who may send events to ingest: token (whoever has INGEST_TOKEN), iam (the API in front of it checks) or none (nobody checks)",
    example: "token",
  },
  INGEST_TOKEN: {
    what: "the secret that events are sent with, or several of at least 16 characters each, separated by commas",
    example: "what `openssl rand -hex 24` prints",
  },
  SESSIONS_TABLE: { what: "the name of the sessions table", example: "gatehook-sessions" },
  HASH_KEYS: {
    what: "with what keys are hashed in the sessions table: none, murmur64, murmur128 or sha256; beside a gateway, its hash_key_function",
    example: "murmur64",
  },
  STATE_TABLE: { what: "the name of the state table", example: "gatehook-state" },
  FILES_BUCKET: { what: "the bucket with apis/, handlers/ and releases/", example: "gatehook-files" },
  RELEASE_QUIET_MS: {
    what: "how long no further file must be uploaded before a release is made, in ms",
    example: "1000",
  },
  HANDLER_TIMEOUT_MS: { what: "the wall time of one handler run in ms", example: "5000" },
  HANDLER_GRACE_MS: {
    what: "how much later than its wall time a handler's thread is ended, in ms",
    example: "250",
  },
  RUNTIME_ISOLATION: {
    what: "what handlers share from event to event: global (their globals) or event (nothing)",
    example: "event",
  },
  RUNTIME_WORKERS: {
    what: "how many events of a batch run at once; more than 1 needs RUNTIME_ISOLATION=event",
    example: "4",
  },
  RUNTIME_MEMORY_MB: { what: "the memory that handlers may allocate, per worker, in MiB", example: "64" },
  RUNTIME_STACK_KB: { what: "the stack of a handler's functions, in KiB", example: "256" },
  RUNTIME_MAX_JOBS: { what: "how many promise jobs a run may have", example: "1000" },
  LOG_MAX_LINE_CHARS: { what: "the longest line that a handler may log, in characters", example: "65536" },
  LOG_MAX_BYTES: { what: "how much a run may log, in bytes", example: "1048576" },
  LOG_MAX_LINES: { what: "how many lines a run may log", example: "1000" },
  HTTP_MAX_CALLS: { what: "how many HTTP requests a run may make", example: "50" },
  STORAGE_MAX_CALLS: { what: "how many storage calls a run may make", example: "1000" },
  SESSION_MAX_CALLS: { what: "how many times a run may get or set a session", example: "1000" },
  MAX_ATTEMPTS: { what: "how many deliveries of an event may fail by its handler", example: "5" },
  RECEIVE_LIMIT: { what: "the events queue's maxReceiveCount", example: "50" },
  RETRY_BASE_SECONDS: {
    what: "how long after its first receive an event that failed comes again",
    example: "5",
  },
  RETRY_MAX_SECONDS: {
    what: "how long after a receive an event that failed comes again at most",
    example: "900",
  },
  HANDLER_ERRORS: {
    what: "whether an event whose handler failed comes again (retry) or counts as done (drop)",
    example: "retry",
  },
  LEDGER_TTL_SECONDS: {
    what: "how long it is remembered which events are done, in seconds; longer than the retention of the queue and its dead-letter queue together",
    example: "1814400",
  },
  ALLOW_MASTER_KEYS: {
    what: "whether a session without access_rights may be stored: true or false",
    example: "false",
  },
  HTTP_ALLOW_HOSTS: {
    what: "hosts and CIDRs that scripts may reach although they are not public, separated by commas",
    example: "billing.internal,10.1.0.0/16",
  },
  HTTP_MAX_RESPONSE_BYTES: {
    what: "the largest HTTP answer that a script may get, in bytes",
    example: "1048576",
  },
  GATEWAY_URL: { what: "where the gateway's REST API is", example: "https://gateway.internal:8080" },
  GATEWAY_READ: {
    what: "when a session is read from the gateway: missing (the table does not have it) or fresh (once a batch)",
    example: "missing",
  },
  GATEWAY_SECRET: { what: "the secret of the gateway's REST API", example: "the value of its tyk.conf" },
  GATEWAY_TIMEOUT_MS: { what: "how long one request to the gateway may take, in ms", example: "3000" },
  GATEWAY_CANARY: {
    what: "the name of the key by which the gateway is known to have its keys",
    example: "gatehook-canary",
  },
  GATEWAY_MAX_ABSENCES: {
    what: "how many keys may be found deleted at the gateway in an hour before that is not believed any more",
    example: "100",
  },
  GATEWAY_RECONCILE_RATE: {
    what: "how many rows of the sessions table are compared with the gateway in a second",
    example: "50",
  },
  GATEWAY_CACHE_SECONDS: {
    what: "after which a change at the gateway is looked at again, in seconds, since the gateway's session cache may undo it; 0 when that cache is off",
    example: "11",
  },
  GATEWAY_CONNECTIONS: { what: "how many requests go to the gateway at the same time", example: "16" },
  GATEWAY_GIVE_UP_SECONDS: {
    what: "how old a change is at which a 500 of the gateway itself counts as a refusal, in seconds",
    example: "86400",
  },
  SYNC_QUEUE_URL: {
    what: "the URL of the queue of keys that gateway-sync looks at again",
    example: "https://sqs.eu-west-1.amazonaws.com/123456789012/gatehook-sync",
  },
  SYNC_DEAD_LETTERS_QUEUE_URL: {
    what: "the URL of the queue for changes that the gateway refused",
    example: "https://sqs.eu-west-1.amazonaws.com/123456789012/gatehook-sync-dead-letters",
  },
} as const;

export type SettingName = keyof typeof SETTINGS;

export function text(env: Env, name: SettingName): string {
  const value = env[name]?.trim();
  if (!value) throw invalid(name, "is not set");
  return value;
}

export function integer(env: Env, name: SettingName, fallback: number, min: number, max: number): number {
  const value = env[name]?.trim();
  if (!value) return fallback;
  const number = Number(value);
  if (!Number.isInteger(number) || number < min || number > max) {
    throw invalid(name, `is "${value}", but must be a whole number from ${min} to ${max}`);
  }
  return number;
}

export function flag(env: Env, name: SettingName, fallback: boolean): boolean {
  const value = env[name]?.trim();
  if (!value) return fallback;
  if (value !== "true" && value !== "false") throw invalid(name, `is "${value}", but must be true or false`);
  return value === "true";
}

export function choice<T extends string>(env: Env, name: SettingName, choices: readonly [T, ...T[]]): T {
  const value = env[name]?.trim() || choices[0];
  const found = choices.find((allowed) => allowed === value);
  if (found === undefined) throw invalid(name, `is "${value}", but must be ${choices.join(" or ")}`);
  return found;
}

export function list(env: Env, name: SettingName): string[] {
  return (env[name] ?? "").split(",").flatMap((item) => item.trim() || []);
}

/** The value is not shown: a URL may have a password in it. */
export function baseUrl(env: Env, name: SettingName): URL {
  const url = URL.parse(text(env, name));
  if (!url || !/^https?:$/.test(url.protocol) || url.username || url.password || url.search || url.hash) {
    throw invalid(name, "must be an http or https URL without user, query and fragment");
  }
  return url;
}

/** A secret that travels in a header; its value is in no error. */
export function headerText(env: Env, name: SettingName): string {
  const value = text(env, name);
  if (!/^[\x21-\x7e]+$/.test(value)) throw invalid(name, "has characters other than visible ASCII ones");
  return value;
}

export function invalid(name: SettingName, problem: string): AppError {
  const { what, example } = SETTINGS[name];
  return new AppError(
    "setting-invalid",
    `environment variable ${name} ${problem}. It is ${what}, for example ${example}`,
  );
}
