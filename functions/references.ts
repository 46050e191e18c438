import { SecretsProvider } from "@aws-lambda-powertools/parameters/secrets";
import { SSMProvider } from "@aws-lambda-powertools/parameters/ssm";
import { SecretsManagerClient } from "@aws-sdk/client-secrets-manager";
import { SSMClient } from "@aws-sdk/client-ssm";
import type { Reference, ValueStore } from "../lib/apis/references.ts";
import type { ReadValue } from "../lib/consumer/config-data.ts";
import { AppError, errorText } from "../lib/errors.ts";
import { requestHandler } from "./clients.ts";
import { invalid } from "./settings.ts";

/** AWS's errors for a value that is missing or forbidden: repeating the call does not help. */
const UNRESOLVED = new Set([
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

/** The settings of references and of the cache of their values. */
export interface ReferenceSettings {
  /** The prefixes of the names of parameters and secrets; "" if not set. */
  prefixes: Record<ValueStore, string>;
  /** In seconds. */
  maxAge: number;
}

/**
 * Values from Parameter Store and Secrets Manager, each cached for a while. In a module of its own, which is loaded
 * only when a definition has a reference: its clients would lengthen every cold start.
 */
export function createReferences({ prefixes, maxAge }: ReferenceSettings): ReadValue {
  const parameters = new SSMProvider({ awsSdkV3Client: new SSMClient({ requestHandler }) });
  const secrets = new SecretsProvider({ awsSdkV3Client: new SecretsManagerClient({ requestHandler }) });
  const stores: Record<ValueStore, Store> = {
    parameters: {
      one: "the parameter",
      setting: "REFERENCE_PARAMETERS",
      get: (name) => parameters.get(name, { maxAge, decrypt: true }),
    },
    secrets: {
      one: "the secret",
      setting: "REFERENCE_SECRETS",
      get: (name) => secrets.get(name, { maxAge }),
    },
  };

  return async ({ store, name }: Reference) => {
    const { one, setting, get } = stores[store];
    if (!prefixes[store]) throw invalid(setting, "is not set");
    const full = `${prefixes[store]}${name}`;
    const value = await get(full).catch((thrown: unknown) => {
      throw failureOf(`${one} ${full}`, thrown);
    });
    if (typeof value === "string") return value;
    throw new AppError("config-unresolved", `${one} ${full} is not a text`);
  };
}

interface Store {
  one: string;
  setting: "REFERENCE_PARAMETERS" | "REFERENCE_SECRETS";
  get: (name: string) => Promise<unknown>;
}

/** Powertools keeps AWS's own error as the cause. */
function failureOf(what: string, thrown: unknown): Error {
  const cause = thrown instanceof Error ? thrown.cause : undefined;
  const { name } = (cause ?? thrown) as Error;
  const code = UNRESOLVED.has(name) ? "config-unresolved" : "dependency-failed";
  return new AppError(code, `${what}: ${name}: ${errorText(thrown)}`, { cause: thrown });
}
