import { idOf, objectsIn, ofType, type Template } from "./template.ts";

/** The properties that send failed work to a queue. */
const GIVEN_UP = ["deadLetterTargetArn", "Destination"];

/** Queues that are not encrypted, and queues for failed work without an alarm. */
export function queues(template: Template): string[] {
  const all = ofType(template, "AWS::SQS::Queue");
  const watched = new Set(
    ofType(template, "AWS::CloudWatch::Alarm").flatMap(([, { Properties }]) =>
      ((Properties.Dimensions ?? []) as { Value: unknown }[]).map(({ Value }) => idOf(Value)),
    ),
  );
  const last = new Set(
    [...objectsIn(template)].flatMap((object) => GIVEN_UP.map((name) => idOf(object[name]))),
  );
  return all.flatMap(([id, { Properties }]) => [
    ...(Properties.SqsManagedSseEnabled || Properties.KmsMasterKeyId
      ? []
      : [`${id} is not encrypted: give it SqsManagedSseEnabled`]),
    ...(!last.has(id) || watched.has(id) ? [] : [`dead letters go to ${id}, which no alarm watches`]),
  ]);
}

/** Event source mappings: a failure must not lose a message, and no message must be run twice at the same time. */
export function sources(template: Template): string[] {
  return ofType(template, "AWS::Lambda::EventSourceMapping").flatMap(([id, { Properties }]) => {
    const { EventSourceArn, FunctionName, FunctionResponseTypes: answers = [] } = Properties;
    return [
      ...((answers as string[]).includes("ReportBatchItemFailures")
        ? []
        : [`${id} has no ReportBatchItemFailures: what failed would count as done`]),
      ...sourceQueue(template, idOf(EventSourceArn) ?? "", idOf(FunctionName) ?? ""),
    ];
  });
}

function sourceQueue({ Resources }: Template, id: string, functionId: string): string[] {
  const source = Resources[id];
  if (source?.Type !== "AWS::SQS::Queue") return [];
  const { VisibilityTimeout: visibility, RedrivePolicy: redrive } = source.Properties;
  // https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
  const least = 6 * Number(Resources[functionId]?.Properties.Timeout);
  const minimum = `at least six times the timeout of ${functionId}, ${least} s`;
  return [
    ...(Number(visibility) >= least
      ? []
      : [`the VisibilityTimeout of ${id} is ${visibility} s, but must be ${minimum}`]),
    ...(redrive ? [] : [`${id} has no RedrivePolicy: what always fails would be retried forever`]),
  ];
}

/** Whether it is invoked by S3, or by an EventBridge event; scheduled invocations are repeated anyway. */
function isNotified({ Resources }: Template, { Principal, SourceArn }: Record<string, unknown>): boolean {
  if (Principal === "s3.amazonaws.com") return true;
  return Resources[idOf(SourceArn) ?? ""]?.Properties.EventPattern !== undefined;
}

/** Invocations without a caller that waits for the outcome: those that keep failing must be kept. */
export function lostInvocations(template: Template): string[] {
  const destinations = new Map(
    ofType(template, "AWS::Lambda::EventInvokeConfig").map(([, { Properties }]) => {
      const { OnFailure } = (Properties.DestinationConfig ?? {}) as { OnFailure?: { Destination: unknown } };
      return [idOf(Properties.FunctionName), idOf(OnFailure?.Destination)];
    }),
  );
  return ofType(template, "AWS::Lambda::Permission").flatMap(([, { Properties }]) => {
    if (!isNotified(template, Properties)) return [];
    const id = idOf(Properties.FunctionName) ?? "";
    const destination = destinations.get(id);
    if (!destination) return [`what ${id} fails at is lost: give it an EventInvokeConfig with OnFailure`];
    return maySend(template, id, destination) ? [] : [`the role of ${id} may not send to ${destination}`];
  });
}

function maySend({ Resources }: Template, functionId: string, queueId: string): boolean {
  const role = Resources[idOf(Resources[functionId]?.Properties.Role) ?? ""];
  return [...objectsIn(role?.Properties)].some(
    ({ Effect, Action, Resource }) =>
      Effect === "Allow" && [Action].flat().includes("sqs:SendMessage") && idOf(Resource) === queueId,
  );
}

interface Queue {
  MessageRetentionPeriod: unknown;
  RedrivePolicy: { maxReceiveCount: unknown };
}

interface Timed {
  Timeout: unknown;
  Environment: { Variables: Record<string, unknown> };
}

/** Gateway-sync leaves keys that it may have no time for to a later invocation. */
export function gatewayTiming({ Resources }: Template): string[] {
  const sync = Resources.GatewayDashsyncLambdaFunction?.Properties as Timed | undefined;
  if (!sync) return ["GatewayDashsyncLambdaFunction is missing"];
  const request = Number(sync.Environment.Variables.GATEWAY_TIMEOUT_MS);
  const time = Number(sync.Timeout) * 1000;
  if (8 * request + 1_000 < time) return [];
  return [`GATEWAY_TIMEOUT_MS is ${request}, but eight of it and a second must fit into ${time} ms`];
}

/**
 * Checks the times and counts of the queues, the consumer and the ledger against each other. A queue that is given is
 * checked by the deployment.
 */
export function timing({ Resources }: Template): string[] {
  const consumer = Resources.ConsumerLambdaFunction?.Properties as Timed | undefined;
  if (!consumer) return ["ConsumerLambdaFunction is missing"];
  const events = Resources.EventsQueue?.Properties as Queue | undefined;
  const letters = Resources.DeadLettersQueue?.Properties as Queue | undefined;
  const setting = (name: string) => Number(consumer.Environment.Variables[name]);
  const timeout = Number(consumer.Timeout);
  const retention = Number(events?.MessageRetentionPeriod ?? 0);
  const lettersRetention = Number(letters?.MessageRetentionPeriod ?? 0);
  const receives = Number(events?.RedrivePolicy.maxReceiveCount);
  const limit = setting("RECEIVE_LIMIT");
  const attempts = setting("MAX_ATTEMPTS");
  const ledger = setting("LEDGER_TTL_SECONDS");
  const rules: [boolean, string][] = [
    [
      !letters || lettersRetention > retention,
      `deadLettersRetention is ${lettersRetention} s, but must be longer than eventsRetention, ${retention} s`,
    ],
    [
      ledger > retention + lettersRetention,
      `LEDGER_TTL_SECONDS is ${ledger}, but must be more than both retentions together, ${retention + lettersRetention}`,
    ],
    [
      !events || limit === receives,
      `RECEIVE_LIMIT is ${limit}, but the queue's maxReceiveCount is ${receives}`,
    ],
    [limit > attempts, `RECEIVE_LIMIT is ${limit}, but must be more than MAX_ATTEMPTS, ${attempts}`],
    [
      setting("HANDLER_TIMEOUT_MS") + setting("HANDLER_GRACE_MS") <= timeout * 1000 - 2_000,
      `HANDLER_TIMEOUT_MS and HANDLER_GRACE_MS must end two seconds before consumerTimeout, ${timeout} s`,
    ],
  ];
  return rules.flatMap(([holds, problem]) => (holds ? [] : [problem]));
}
