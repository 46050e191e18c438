import { type Parameters, parameterOf } from "./deployment.ts";
import { DEPLOYMENT_SETTINGS, type DeploymentSetting } from "./deployment-settings.ts";

/** A stage to be packaged. */
export interface Deployed {
  name: string;
  stage: string;
  region: string | undefined;
  parameters: Parameters;
}

/** The problems of combinations of settings that are each valid. */
export const deploymentProblems = (deployed: Deployed): string[] =>
  [longNames, otherRegions, queueKinds, sessionsStream, keysApi, webhooks, network].flatMap((check) =>
    check(deployed),
  );

/** S3 allows 63 characters, including 12 of the account, 14 of the longest region, and 3 hyphens. */
const MOST_CHARS = 34;

function longNames({ name, stage }: Deployed): string[] {
  const chars = name.length + stage.length;
  if (chars <= MOST_CHARS) return [];
  return [
    `the name ${name} and the stage ${stage} have ${chars} characters together, and may have ${MOST_CHARS}: both stand in the bucket's name`,
  ];
}

/** The name of a parameter in gatehook.json. */
const called = (parameter: string) =>
  (DEPLOYMENT_SETTINGS as Record<string, DeploymentSetting>)[parameter]?.member ?? parameter;

function otherRegions({ region, parameters }: Deployed): string[] {
  return Object.entries(parameters).flatMap(([name, value]) => {
    const [, there] = /^arn:[^:]+:[^:]+:([^:]+):/.exec(value) ?? [];
    if (!name.endsWith("Arn") || !region || !there || there === region) return [];
    return [`${called(name)} is in ${there}, but the stage in ${region}: it must be in the same region`];
  });
}

function queueKinds({ parameters }: Deployed): string[] {
  const kind = parameterOf(parameters, "queue");
  const wrong = ["eventsQueueArn", "deadLettersQueueArn"].filter(
    (name) => parameters[name] && parameters[name].endsWith(".fifo") !== (kind === "fifo"),
  );
  const kinds = wrong.map(
    (name) =>
      `${called(name)} is ${kind === "fifo" ? "not a" : "a"} FIFO queue, but the setting queue is ${kind}`,
  );
  const size = Number(parameterOf(parameters, "batchSize"));
  const large = kind === "fifo" && size > 10;
  return large ? [...kinds, `batchSize is ${size}, but with queue fifo at most 10`] : kinds;
}

function sessionsStream({ parameters }: Deployed): string[] {
  const { sessionsTableArn: table, sessionsStreamArn: stream, GATEWAY_URL: gateway } = parameters;
  if (stream && !stream.startsWith(`${table}/stream/`))
    return ["resources.sessionsStream must be the stream of resources.sessionsTable"];
  if (!table || stream || !gateway) return [];
  const name = table.replace(/.*\//, "");
  return [
    "with GATEWAY_URL, resources.sessionsTable needs resources.sessionsStream beside it: the table's LatestStreamArn, " +
      `which aws dynamodb describe-table --table-name ${name} shows`,
  ];
}

function keysApi({ parameters }: Deployed): string[] {
  const isRefused = Boolean(parameters.KEYS_API_SECRET && parameters.GATEWAY_URL);
  return isRefused
    ? ["KEYS_API_SECRET is not set with a GATEWAY_URL: that gateway has the key API itself"]
    : [];
}

/** The time that an invocation reserves for its answer, and for events in the same batch as the webhook, in ms. */
const RESERVE_MS = 5_000;

/** A webhook that takes longer than any invocation would never be sent. */
function webhooks({ parameters }: Deployed): string[] {
  const timeoutMs = Number(parameterOf(parameters, "WEBHOOK_TIMEOUT_MS"));
  const seconds = Number(parameterOf(parameters, "consumerTimeout"));
  if (timeoutMs + RESERVE_MS <= seconds * 1000) return [];
  const least = Math.ceil((timeoutMs + RESERVE_MS) / 1000);
  return [
    `with WEBHOOK_TIMEOUT_MS at ${timeoutMs}, consumerTimeout must be ${least} seconds at least, and is ${seconds}`,
  ];
}

function network({ parameters }: Deployed): string[] {
  const [subnets, groups] = ["subnetIds", "securityGroupIds"].map((name) => Boolean(parameters[name]));
  return subnets === groups ? [] : ["subnetIds and securityGroupIds are set together, or not at all"];
}
