import { CloudFormationClient, DescribeStacksCommand } from "@aws-sdk/client-cloudformation";
import { AppError } from "../lib/errors.ts";

/** An output of the deployment's stack → the setting of the functions that has the same. */
const SETTINGS: Record<string, string> = {
  EventsQueueUrl: "EVENTS_QUEUE_URL",
  DeadLettersQueueUrl: "DEAD_LETTERS_QUEUE_URL",
  FilesBucket: "FILES_BUCKET",
  SessionsTable: "SESSIONS_TABLE",
  StateTable: "STATE_TABLE",
  HashKeys: "HASH_KEYS",
  GatewayUrl: "GATEWAY_URL",
  SyncQueueUrl: "SYNC_QUEUE_URL",
  SyncDeadLettersQueueUrl: "SYNC_DEAD_LETTERS_QUEUE_URL",
};

/** A deployment: the stack `<name>-<stage>` in a region. */
export interface Deployment {
  name: string;
  stage: string;
  /** Where the environment says none, too. */
  region: string | undefined;
}

/** What connects a command to a deployment, by its stack's outputs. Throws `setting-invalid` where there is no stack. */
export async function stageEnvironment({ name, stage, region }: Deployment): Promise<Record<string, string>> {
  const client = new CloudFormationClient(region ? { region } : {});
  try {
    const outputs = await outputsOf(client, `${name}-${stage}`);
    const where = await client.config.region();
    const settings = Object.entries(SETTINGS).flatMap(([output, setting]) => {
      const value = outputs.get(output);
      return value ? [[setting, value] as const] : [];
    });
    return { AWS_REGION: where, ...Object.fromEntries(settings) };
  } finally {
    client.destroy();
  }
}

async function outputsOf(client: CloudFormationClient, stack: string): Promise<Map<string, string>> {
  try {
    const { Stacks: [found] = [] } = await client.send(new DescribeStacksCommand({ StackName: stack }));
    return new Map(found?.Outputs?.map(({ OutputKey = "", OutputValue = "" }) => [OutputKey, OutputValue]));
  } catch (cause) {
    // CloudFormation has no error of its own for a stack that is not there.
    if (!/does not exist/.test((cause as Error).message)) throw cause;
    const region = await client.config.region();
    const how = "deploy it with gatehook deploy, or name another with --stage and --region";
    throw new AppError("setting-invalid", `there is no stack ${stack} in ${region}: ${how}`, { cause });
  }
}
