import { gatewayOptions } from "../../functions/gateway.ts";
import { readIngestAuth } from "../../functions/ingest-auth.ts";
import { readKeysAuth } from "../../functions/keys-auth.ts";
import { readRuntimeSettings } from "../../functions/runtime-settings.ts";
import { AppError } from "../../lib/errors.ts";
import { DEPLOYMENT_SETTINGS, type DeploymentSetting } from "../../lib/settings/deployment-settings.ts";
import { FUNCTION_SETTINGS, type FunctionSetting } from "../../lib/settings/function-settings.ts";
import { problemWithNamed } from "../../lib/settings/named.ts";
import { localSettings, type Project } from "../../lib/settings/project.ts";
import type { StackOptions } from "../../local/stack.ts";
import { UsageError } from "../terminal/usage.ts";

const DEPLOYMENT: Record<string, DeploymentSetting> = DEPLOYMENT_SETTINGS;
/** The settings that are read from the environment: any others in it belong to a deployment. */
const OF_FUNCTIONS = Object.entries<FunctionSetting>(FUNCTION_SETTINGS).flatMap(([name, { resource }]) =>
  resource ? [] : [name],
);

/**
 * The settings of the local stack: `--set` overrides the environment, which overrides gatehook.json, where the stage
 * `local` overrides the settings of all stages. Throws a UsageError that names the invalid setting.
 */
export function devSettings(
  project: Project,
  env: Record<string, string | undefined>,
  set: Record<string, string>,
): Partial<StackOptions> & { settings: Record<string, string> } {
  const given = OF_FUNCTIONS.flatMap((name) => {
    const value = env[name]?.trim();
    return value ? [[name, value] as const] : [];
  });
  const fromEnvironment = Object.fromEntries(given);
  check(fromEnvironment, "in the environment, ");
  check(set, "--set: ");
  const all = { ...localSettings(project), ...fromEnvironment, ...set };
  const settings = Object.fromEntries(Object.entries(all).filter(([name]) => OF_FUNCTIONS.includes(name)));
  checkTogether(settings);
  return { settings, ...stackOptions(all) };
}

/** Checks the settings that require each other, as the functions do at their start. */
function checkTogether(settings: Record<string, string>): void {
  try {
    readRuntimeSettings(settings);
    gatewayOptions(settings);
    readIngestAuth({ INGEST_AUTH: "none", ...settings });
    readKeysAuth(settings);
  } catch (cause) {
    if (!(cause instanceof AppError)) throw cause;
    throw new UsageError(cause.message, { cause });
  }
}

function check(settings: Record<string, string>, where: string): void {
  for (const [name, value] of Object.entries(settings)) {
    const elsewhere = DEPLOYMENT[name] && !DEPLOYMENT[name].local && `${name} counts in a deployment only`;
    const problem = elsewhere || problemWithNamed(name, value);
    if (problem) throw new UsageError(`${where}${problem}`);
  }
}

/** The settings of the stack itself, which in a deployment belong to queues and mappings. */
function stackOptions(all: Record<string, string>): Partial<StackOptions> {
  const number = (name: string) => (all[name]?.trim() ? Number(all[name]) : undefined);
  const seconds = number("consumerTimeout");
  const options = {
    fifo: all.queue?.trim() === "fifo" || undefined,
    batchSize: number("batchSize"),
    consumerMemoryMb: number("consumerMemory"),
    consumerTimeoutMs: seconds && seconds * 1_000,
    visibilitySeconds: number("visibilityTimeout"),
    receiveLimit: number("RECEIVE_LIMIT"),
  };
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}
