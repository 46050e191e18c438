import { ListObjectVersionsCommand, S3Client } from "@aws-sdk/client-s3";
import { inTemporaryFolder } from "../../deploy/package.ts";
import { writeDefinition } from "../../deploy/service.ts";
import type { Resource, Template } from "../../deploy/template.ts";
import { AppError } from "../../lib/errors.ts";
import { requireOsls } from "../stage/artifact.ts";
import { serviceOfTarget } from "../stage/service.ts";
import { hasOwnEndpoint, readAccount, readResources, readStack } from "../stage/stack.ts";
import { placeText, stageGate } from "../stage/stage-gate.ts";
import { readTarget, type StageOptions } from "../stage/target.ts";
import { interruption } from "../terminal/interrupt.ts";
import { runOnStack } from "../terminal/osls-output.ts";
import { print, printError, printJson } from "../terminal/print.ts";

/** `yes` skips the confirmation, which every removal needs. */
export interface RemoveOptions extends StageOptions {
  yes?: boolean;
  json?: boolean;
}

/** `gatehook remove`: removes a stage's stack, and prints the resources that are kept. */
export async function remove(options: RemoveOptions): Promise<void> {
  const target = await readTarget(options);
  const permitted = stageGate({ asks: true, yes: options.yes }, target.stack);
  const osls = requireOsls(target.dir);
  const { caller: _, ...where } = await readAccount(target.region);
  const place = { stack: target.stack, ...where };
  const { stack, region } = place;
  if (!(await readStack(stack, region)))
    throw new AppError("deploy-failed", `there is no stack ${placeText(place)}`);
  const { names, template } = await readResources(stack, region);
  const kept = keptOf(template, names);
  await refuseFullBucket(template, names, region);
  for (const name of kept) printError(`stays    ${name}`);
  if (!(await permitted({ verb: "remove", place }))) {
    process.exitCode = 1;
    return;
  }
  const stop = interruption();
  const args = ["remove", "--stage", target.stage, "--region", region];
  await inTemporaryFolder(async (cwd) => {
    writeDefinition(cwd, serviceOfTarget(target));
    await runOnStack(osls, args, { cwd, stop });
  });
  if (options.json) printJson({ ...place, stage: target.stage, kept });
  else print(`${placeText(place)}: removed`);
}

type Kept = Resource & { DeletionPolicy?: string };

/** The resources that CloudFormation keeps, from the deployed template: `onRemove` may have changed since. */
function keptOf({ Resources }: Template, names: Map<string, string>): string[] {
  return Object.entries(Resources).flatMap(([id, { Type, DeletionPolicy = "" }]: [string, Kept]) => {
    const name = names.get(id);
    if (!name || !DeletionPolicy.startsWith("Retain")) return [];
    // A queue's id is its URL.
    return [`${KINDS[Type] ?? Type} ${name.replace(/^https?:.*\//, "")}`];
  });
}

const KINDS: Record<string, string> = {
  "AWS::SQS::Queue": "queue",
  "AWS::DynamoDB::Table": "table",
  "AWS::S3::Bucket": "bucket",
};

/** The framework empties its own bucket. */
const BUCKETS = ["FilesBucket", "HistoryBucket"];

/** CloudFormation would fail halfway: it can delete only empty buckets. */
async function refuseFullBucket(
  { Resources }: Template,
  names: Map<string, string>,
  region: string,
): Promise<void> {
  const buckets = BUCKETS.flatMap((id) => {
    const { DeletionPolicy = "" }: Partial<Kept> = Resources[id] ?? {};
    return DeletionPolicy.startsWith("Retain") ? [] : (names.get(id) ?? []);
  });
  const s3 = new S3Client({ region, forcePathStyle: hasOwnEndpoint() });
  try {
    for (const Bucket of buckets) {
      const { Versions = [], DeleteMarkers = [] } = await s3.send(
        new ListObjectVersionsCommand({ Bucket, MaxKeys: 1 }),
      );
      if (Versions.length + DeleteMarkers.length > 0)
        throw new AppError(
          "deploy-failed",
          `the bucket ${Bucket} is to be deleted too (onRemove: Delete), and still has files or older versions of them: empty it first`,
        );
    }
  } finally {
    s3.destroy();
  }
}
