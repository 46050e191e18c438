import { relative } from "node:path";
import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { S3Client } from "@aws-sdk/client-s3";
import { SQSClient } from "@aws-sdk/client-sqs";
import { AppError } from "../../lib/errors.ts";
import { packaged, requireOsls } from "../stage/artifact.ts";
import { givenFindings } from "../stage/given-resources.ts";
import { hasOwnEndpoint, readAccount, readStack } from "../stage/stack.ts";
import { type Place, placeText, stageGate } from "../stage/stage-gate.ts";
import { readTarget, type StageOptions, type Target } from "../stage/target.ts";
import { interruption } from "../terminal/interrupt.ts";
import { runOnStack } from "../terminal/osls-output.ts";
import { print, printError, printJson } from "../terminal/print.ts";

/** `yes` skips the confirmation for a stage such as `prod`. */
export interface DeployOptions extends StageOptions {
  yes?: boolean;
  json?: boolean;
}

/** `gatehook deploy`: packages a stage and creates or updates its stack. */
export async function deploy(options: DeployOptions): Promise<void> {
  const target = await readTarget(options);
  const permitted = stageGate({ asks: target.confirm, yes: options.yes }, target.stack);
  requireOsls(target.dir);
  const { caller: _, ...where } = await readAccount(target.region);
  const place = { stack: target.stack, ...where };
  const { region } = place;
  // The environment supplies what gatehook.json does not set, and must be valid too.
  const here = await readTarget({ ...options, region });
  if (!(await permitted({ verb: "deploy", place }))) {
    process.exitCode = 1;
    return;
  }
  await refuseWhatDoesNotFit(here, region);
  const stop = interruption();
  await packaged(here, stop, async ({ osls, folder, warnings }) => {
    for (const warning of warnings) printError(`warning  ${warning}`);
    await runOnStack(osls, ["deploy", "--stage", here.stage, "--region", region], { cwd: folder, stop });
  });
  const stack = await readStack(place.stack, region);
  if (!stack)
    throw new AppError("deploy-failed", `there is no stack ${placeText(place)} after the deployment`);
  if (options.json) printJson({ ...place, stage: here.stage, outputs: stack.outputs });
  else print(...nextSteps(here, place, stack.outputs));
}

async function refuseWhatDoesNotFit({ parameters }: Target, region: string): Promise<void> {
  const services = {
    sqs: new SQSClient({ region }),
    dynamo: new DynamoDBClient({ region }),
    s3: new S3Client({ region, forcePathStyle: hasOwnEndpoint() }),
  };
  const { problems, warnings } = await givenFindings(parameters, services);
  for (const client of Object.values(services)) client.destroy();
  for (const warning of warnings) printError(`warning  ${warning}`);
  if (problems.length > 0) throw new AppError("deploy-failed", problems.join("\n"));
}

function nextSteps(
  { dir, stage, parameters }: Target,
  place: Place,
  outputs: Record<string, string>,
): string[] {
  const { IngestToken, DomainTarget } = outputs;
  const { region } = place;
  const here = relative(process.cwd(), dir);
  const record = outputs.DomainUrl && !parameters.domainHostedZone;
  return [
    `${placeText(place)}: deployed`,
    "",
    `  events    POST ${ingestUrl(outputs)}/events/<api_id>`,
    ...(record ? [`  domain    make its DNS record an alias of ${DomainTarget}`] : []),
    `  token     ${tokenText(parameters, IngestToken)}`,
    ...(IngestToken ? [`            ${secretCommand(region, IngestToken)}`] : []),
    `  handlers  npx gatehook push --stage ${stage}${here ? ` --dir ${here}` : ""}`,
  ];
}

/** A function's own URL ends with a slash. */
const ingestUrl = ({ IngestFunctionUrl, DomainUrl, HttpApiUrl }: Record<string, string>) =>
  IngestFunctionUrl?.replace(/\/$/, "") ?? DomainUrl ?? HttpApiUrl;

/** The place of the token, never the token itself. */
function tokenText({ INGEST_TOKEN }: Record<string, string>, made: string | undefined): string {
  if (made) return `in the secret ${made}`;
  return INGEST_TOKEN
    ? `what ${INGEST_TOKEN} refers to`
    : "none: requests are signed by AWS's rules (ingestAuth: iam)";
}

const secretCommand = (region: string, id: string) =>
  `aws secretsmanager get-secret-value --region ${region} --secret-id ${id} --query SecretString --output text`;
