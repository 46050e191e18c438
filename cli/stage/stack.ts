import {
  CloudFormationClient,
  DescribeStacksCommand,
  GetTemplateCommand,
  paginateListStackResources,
} from "@aws-sdk/client-cloudformation";
import { GetCallerIdentityCommand, STSClient } from "@aws-sdk/client-sts";
import type { Template } from "../../deploy/template.ts";
import { AppError, errorText } from "../../lib/errors.ts";
import { UsageError } from "../terminal/usage.ts";

/** The AWS account of the commands of this process. */
export interface Account {
  account: string;
  region: string;
  /** The ARN of the caller. */
  caller: string;
}

/** A custom endpoint has no host name for each bucket. */
export const hasOwnEndpoint = () => Boolean(process.env.AWS_ENDPOINT_URL_S3 ?? process.env.AWS_ENDPOINT_URL);

/** Asks AWS for the account and the caller. Throws without credentials or a region. */
export async function readAccount(region: string | undefined): Promise<Account> {
  const sts = new STSClient(region ? { region } : {});
  try {
    const here = await regionOf(sts);
    const { Account: account = "", Arn: caller = "" } = await sts.send(new GetCallerIdentityCommand());
    return { account, region: here, caller };
  } catch (cause) {
    if (cause instanceof UsageError) throw cause;
    throw new AppError(
      "deploy-failed",
      `AWS does not say who calls: ${errorText(cause)}. Set AWS_PROFILE, or AWS_ACCESS_KEY_ID and its companions`,
      { cause },
    );
  } finally {
    sts.destroy();
  }
}

async function regionOf(sts: STSClient): Promise<string> {
  try {
    return await sts.config.region();
  } catch (cause) {
    throw new UsageError(
      "no region: add --region, or give the stage a region in gatehook.json, or set AWS_REGION",
      { cause },
    );
  }
}

/** A stack with its outputs. */
export interface Stack {
  outputs: Record<string, string>;
}

/** Undefined if the stack does not exist. */
export async function readStack(name: string, region: string): Promise<Stack | undefined> {
  return withCloudFormation(region, async (client) => {
    try {
      const { Stacks } = await client.send(new DescribeStacksCommand({ StackName: name }));
      const outputs = Stacks?.[0]?.Outputs ?? [];
      return {
        outputs: Object.fromEntries(outputs.map(({ OutputKey, OutputValue }) => [OutputKey, OutputValue])),
      };
    } catch (thrown) {
      if (/does not exist/.test(errorText(thrown))) return undefined;
      throw thrown;
    }
  });
}

/** The resources of a stack, by their logical ids, and its template. */
export async function readResources(
  name: string,
  region: string,
): Promise<{ names: Map<string, string>; template: Template }> {
  return withCloudFormation(region, async (client) => {
    const names = new Map<string, string>();
    for await (const page of paginateListStackResources({ client }, { StackName: name }))
      for (const {
        LogicalResourceId: id = "",
        PhysicalResourceId: physical,
      } of page.StackResourceSummaries ?? [])
        if (physical) names.set(id, physical);
    const { TemplateBody = "{}" } = await client.send(new GetTemplateCommand({ StackName: name }));
    return { names, template: JSON.parse(TemplateBody) as Template };
  });
}

async function withCloudFormation<Result>(
  region: string,
  work: (client: CloudFormationClient) => Promise<Result>,
): Promise<Result> {
  const client = new CloudFormationClient({ region });
  try {
    return await work(client);
  } finally {
    client.destroy();
  }
}
