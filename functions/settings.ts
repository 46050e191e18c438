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
  SESSIONS_TABLE: { what: "the name of the sessions table", example: "gatehook-sessions" },
  STATE_TABLE: { what: "the name of the state table", example: "gatehook-state" },
  FILES_BUCKET: { what: "the bucket with apis/, handlers/ and releases/", example: "gatehook-files" },
  HANDLER_TIMEOUT_MS: { what: "the wall time of one handler run in ms", example: "5000" },
  MAX_RECEIVES: { what: "the queue's maxReceiveCount", example: "5" },
  LEDGER_TTL_SECONDS: {
    what: "how long it is remembered which events are done, in seconds; longer than the retention of the queue and its dead-letter queue together",
    example: "1814400",
  },
  ALLOW_MASTER_KEYS: {
    what: "whether a script may store a session without access_rights: true or false",
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

export function list(env: Env, name: SettingName): string[] {
  return (env[name] ?? "").split(",").flatMap((item) => item.trim() || []);
}

function invalid(name: SettingName, problem: string): AppError {
  const { what, example } = SETTINGS[name];
  return new AppError(
    "setting-invalid",
    `environment variable ${name} ${problem}. It is ${what}, for example ${example}`,
  );
}
