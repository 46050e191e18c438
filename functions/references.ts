import { SecretsProvider } from "@aws-lambda-powertools/parameters/secrets";
import { SSMProvider } from "@aws-lambda-powertools/parameters/ssm";
import { SecretsManagerClient } from "@aws-sdk/client-secrets-manager";
import { SSMClient } from "@aws-sdk/client-ssm";
import type { Reference, ValueStore } from "../lib/apis/references.ts";
import type { ReadValue } from "../lib/consumer/config-data.ts";
import { AppError, errorText } from "../lib/errors.ts";
import { requestHandler } from "./clients.ts";
import { integer, text } from "./settings.ts";

/** What AWS answers when a value is not there, or not for us: repeating the call does not help. */
const REFUSALS = new Set([
  "ParameterNotFound",
  "ParameterVersionNotFound",
  "ResourceNotFoundException",
  "AccessDeniedException",
  "InvalidRequestException",
  "InvalidParameterException",
  "ValidationException",
  "InvalidKeyId",
  "DecryptionFailure",
]);

/**
 * Values from Parameter Store and Secrets Manager, each kept for a while. In a module of its own, which is loaded
 * only when a definition has a reference: its clients would lengthen every cold start.
 */
export function createReferences(env: Record<string, string | undefined>): ReadValue {
  const maxAge = integer(env, "REFERENCE_MAX_AGE_SECONDS");
  const parameters = new SSMProvider({ awsSdkV3Client: new SSMClient({ requestHandler }) });
  const secrets = new SecretsProvider({ awsSdkV3Client: new SecretsManagerClient({ requestHandler }) });
  const stores: Record<
    ValueStore,
    { named: string; prefix: () => string; get: (name: string) => Promise<unknown> }
  > = {
    parameters: {
      named: "the parameter",
      prefix: () => text(env, "REFERENCE_PARAMETERS"),
      get: (name) => parameters.get(name, { maxAge, decrypt: true }),
    },
    secrets: {
      named: "the secret",
      prefix: () => text(env, "REFERENCE_SECRETS"),
      get: (name) => secrets.get(name, { maxAge }),
    },
  };

  return async ({ store, name }: Reference) => {
    const { named, prefix, get } = stores[store];
    const full = `${prefix()}${name}`;
    const value = await get(full).catch((thrown: unknown) => {
      throw failureOf(`${named} ${full}`, thrown);
    });
    if (typeof value === "string") return value;
    throw new AppError("config-unresolved", `${named} ${full} is not a text`);
  };
}

/** Powertools keeps AWS's own error as the cause. */
function failureOf(what: string, thrown: unknown): Error {
  const cause = thrown instanceof Error ? thrown.cause : undefined;
  const { name } = (cause ?? thrown) as Error;
  const code = REFUSALS.has(name) ? "config-unresolved" : "dependency-failed";
  return new AppError(code, `${what}: ${name}: ${errorText(thrown)}`, { cause: thrown });
}
