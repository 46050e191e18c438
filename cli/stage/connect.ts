import { AppError } from "../../lib/errors.ts";
import { connectLocal } from "../dev/local-stack.ts";
import { printError, printErrorText } from "../terminal/print.ts";
import { UsageError } from "../terminal/usage.ts";
import { ownPackage } from "../version.ts";
import { readAccount, readStack } from "./stack.ts";
import { type Gate, type Place, placeText, stageGate } from "./stage-gate.ts";
import { readTarget } from "./target.ts";

/** The stack of a command. */
export interface ConnectOptions {
  local?: boolean;
  stage?: string;
  region?: string;
  dir?: string;
  yes?: boolean;
}

/**
 * Sets the environment to that of the stack of a command; `writes` is the verb of a command that changes it. False if
 * the user answered the confirmation with no.
 */
export async function connect(options: ConnectOptions, writes: string | undefined): Promise<boolean> {
  const { local, stage, region } = options;
  if (stage === undefined) {
    if (region !== undefined)
      throw new UsageError("--region goes with --stage: add --stage, or set AWS_REGION");
    await connectLocal(options);
    return true;
  }
  if (local) throw new UsageError("--local and --stage are two stacks: leave one of them out");
  return connectStage({ ...options, stage }, writes);
}

async function connectStage(
  options: ConnectOptions & { stage: string },
  writes: string | undefined,
): Promise<boolean> {
  const { dir = ".", stage, region, yes } = options;
  const target = await readTarget({ dir, stage, ...(region !== undefined && { region }) });
  // Before any call to AWS, so that it fails early without a terminal.
  const permitted: Gate = writes
    ? stageGate({ asks: target.confirm, yes }, target.stack)
    : async ({ place }) => {
        printError(`gatehook: ${placeText(place)}`);
        return true;
      };
  const { caller, ...where } = await readAccount(target.region);
  const place = { stack: target.stack, ...where };
  if (!(await permitted({ verb: writes ?? "read", place }))) return false;
  const outputs = await outputsOf(place);
  tellVersion(place.stack, outputs.GatehookVersion);
  setEnvironment(place, outputs);
  connectedAs = caller;
  return true;
}

let connectedAs = "";

/** The ARN of this process at its stage; "" for a local stack. */
export const callerArn = () => connectedAs;

/** Another version may accept what the stack rejects, or vice versa. */
function tellVersion(stack: string, deployed: string | undefined): void {
  const { version } = ownPackage();
  if (deployed && deployed !== version)
    printErrorText(`gatehook: ${stack} was deployed by version ${deployed}, and this is ${version}`);
}

async function outputsOf(place: Place): Promise<Record<string, string>> {
  const stack = await readStack(place.stack, place.region);
  if (stack) return stack.outputs;
  throw new AppError(
    "setting-invalid",
    `there is no stack ${placeText(place)}: make it with gatehook deploy, or name another --stage`,
  );
}

/** The outputs of a stack, with the same settings of the functions. */
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
  HistoryTable: "HISTORY_TABLE",
  HistoryBucket: "HISTORY_BUCKET",
  HistoryTtlDays: "HISTORY_TTL_DAYS",
  // Only the id of the secret; the secret itself is read when a key is searched.
  HistorySecret: "HISTORY_SECRET_ID",
};

/** Variables of another stack must not be used for this one. */
function setEnvironment({ region }: Place, outputs: Record<string, string>): void {
  process.env.AWS_REGION = region;
  for (const [output, setting] of Object.entries(SETTINGS)) {
    const value = outputs[output];
    if (value) process.env[setting] = value;
    else delete process.env[setting];
  }
}
