type Env = Record<string, string | undefined>;

/** The members that the SDK and AWS add to an error. */
interface AwsError extends Error {
  code?: string;
  hostname?: string;
  address?: string;
  port?: number;
  /** The text that is not a valid URL. */
  input?: string;
  /** The errors of a host name with several addresses. */
  errors?: AwsError[];
}

const LOCAL = "for the local stack: --local";
const NOTHING_SET = `no AWS region or credentials: set AWS_REGION and AWS_PROFILE; ${LOCAL}`;
const EXPIRED = "the AWS credentials have expired: log in again, such as by aws sso login";
const UNKNOWN = "AWS does not know these credentials: check AWS_PROFILE, or AWS_ACCESS_KEY_ID and its secret";
const UNSIGNED = "AWS refuses the signature: check AWS_SECRET_ACCESS_KEY, and the clock of this machine";

/** By the error names of AWS's services, which differ between services. */
const BY_NAME = new Map<string, (env: Env) => string>([
  ["ExpiredToken", () => EXPIRED],
  ["ExpiredTokenException", () => EXPIRED],
  ["UnrecognizedClientException", () => UNKNOWN],
  ["InvalidClientTokenId", () => UNKNOWN],
  ["InvalidAccessKeyId", () => UNKNOWN],
  ["InvalidToken", () => UNKNOWN],
  ["SignatureDoesNotMatch", () => UNSIGNED],
  ["InvalidSignatureException", () => UNSIGNED],
  ["RequestTimeTooSkewed", () => UNSIGNED],
  [
    "NoSuchBucket",
    (env) => `there is no bucket ${env.FILES_BUCKET}: check FILES_BUCKET, AWS_REGION and AWS_PROFILE`,
  ],
  [
    "ResourceNotFoundException",
    (env) => `there is no such table: check STATE_TABLE (${env.STATE_TABLE}), AWS_REGION and AWS_PROFILE`,
  ],
  [
    "PermanentRedirect",
    (env) => `the bucket ${env.FILES_BUCKET} is in another region: set AWS_REGION to that`,
  ],
]);

/** Advice for an error of the AWS SDK or of AWS; undefined for others, and for errors that contain advice. */
export function awsAdvice(thrown: unknown, env: Env): string | undefined {
  if (!(thrown instanceof Error)) return undefined;
  const { name, message } = thrown;
  if (message === "Region is missing") return NOTHING_SET;
  const [, region] = /^Region not accepted: region="(.*)"/.exec(message) ?? [];
  if (region !== undefined)
    return region === "" ? NOTHING_SET : `AWS_REGION is ${region}, which is not the name of a region`;
  if (name === "CredentialsProviderError" || name === "TokenProviderError")
    return withoutCredentials(message, env);
  if (name === "TimeoutError") return `no answer in time: ${message}`;
  const error: AwsError = thrown;
  return BY_NAME.get(name)?.(env) ?? unreachable(error.errors?.[0] ?? error, env);
}

function withoutCredentials(message: string, env: Env): string {
  if (/expired|aws sso login/i.test(message)) return EXPIRED;
  const profile = env.AWS_PROFILE?.trim();
  return profile
    ? `no AWS credentials in the profile ${profile}, which AWS_PROFILE names: run aws configure, or aws sso login; ${LOCAL}`
    : NOTHING_SET;
}

function unreachable({ code, hostname, address, port, input }: AwsError, env: Env): string | undefined {
  switch (code) {
    case "ECONNREFUSED": {
      const variable = endpointOf(env, (value) => portOf(URL.parse(value)) === String(port));
      const from = variable === undefined ? "" : `, which ${variable} names`;
      return `nothing listens at ${address}:${port}${from}: start it, or name another`;
    }
    case "ENOTFOUND":
    case "EAI_AGAIN": {
      const variable = endpointOf(env, (value) => URL.parse(value)?.hostname === hostname);
      return `the host ${hostname} is not found: check ${variable ?? "AWS_REGION"}, and the network`;
    }
    case "ERR_INVALID_URL": {
      const variable = endpointOf(env, (value) => value === input);
      return variable && `${variable} is ${input}, but must be a URL, such as http://127.0.0.1:8000`;
    }
    default:
      return undefined;
  }
}

const portOf = (url: URL | null) => url?.port || (url?.protocol === "https:" ? "443" : "80");

/** The variable that contains an address. */
function endpointOf(env: Env, fits: (value: string) => boolean): string | undefined {
  const named = Object.keys(env).filter((name) => /^AWS_ENDPOINT_URL|_QUEUE_URL$/.test(name));
  return named.find((name) => fits(env[name] ?? ""));
}
