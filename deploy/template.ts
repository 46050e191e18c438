/** A compiled CloudFormation template, as much of its form as matters here. */
export interface Template {
  Resources: Record<string, Resource>;
  Conditions?: Record<string, unknown>;
  Outputs?: Record<string, { Value: unknown; Condition?: string }>;
}

export interface Resource {
  Type: string;
  Condition?: string;
  Properties: Record<string, unknown>;
}

/** What neither CloudFormation nor its schemas would tell, and would go wrong once it runs. */
export function templateProblems(template: Template): string[] {
  const checks = [
    danglingReferences,
    missingConditions,
    wideStatements,
    wholeTables,
    silentAlarms,
    openRoutes,
    timing,
    gatewayTiming,
    sources,
    queues,
    lostInvocations,
  ];
  return checks.flatMap((check) => check(template));
}

export const ofType = (template: Template, type: string) =>
  Object.entries(template.Resources).filter(([, resource]) => resource.Type === type);

/** Every object in a value, itself included. */
function* objectsIn(value: unknown): Generator<Record<string, unknown>> {
  if (typeof value !== "object" || value === null) return;
  if (!Array.isArray(value)) yield value as Record<string, unknown>;
  for (const inner of Object.values(value)) yield* objectsIn(inner);
}

/** Every resource, parameter and condition that a value refers to. */
function namesIn(value: unknown): string[] {
  return [...objectsIn(value)].flatMap((object) => {
    const { Ref: ref, "Fn::GetAtt": getAtt, "Fn::Sub": sub, "Fn::If": choice, Condition: condition } = object;
    return [
      ref,
      Array.isArray(getAtt) ? getAtt[0] : undefined,
      Array.isArray(choice) ? choice[0] : undefined,
      typeof condition === "string" ? condition : undefined,
      ...(typeof sub === "string" ? subNames(sub) : []),
    ].filter((name) => typeof name === "string");
  });
}

function danglingReferences(template: Template): string[] {
  const known = new Set([...Object.keys(template.Resources), ...Object.keys(template.Conditions ?? {})]);
  const dangling = new Set(namesIn(template).filter((name) => !name.startsWith("AWS::") && !known.has(name)));
  return [...dangling].map((name) => `something refers to ${name}, which is not in the template`);
}

/** What a condition leaves out cannot be referred to by what stays: without a gateway, nothing would deploy. */
function missingConditions({ Resources, Outputs = {} }: Template): string[] {
  // An Fn::If has a condition of its own.
  const isOpen = (key: string, value: unknown) => (key === "Fn::If" ? undefined : value);
  return Object.entries({ ...Resources, ...Outputs }).flatMap(([id, one]) => {
    const names = new Set(namesIn(JSON.parse(JSON.stringify(one, isOpen))));
    return [...names].flatMap((name) => {
      const { Condition: condition } = Resources[name] ?? {};
      return condition === undefined || condition === one.Condition
        ? []
        : [`${id} refers to ${name}, which is there only with ${condition}: give it that condition too`];
    });
  });
}

const subNames = (text: string) => [...text.matchAll(/\$\{([^!}.]+)[^}]*\}/g)].map((match) => match[1] ?? "");

/** X-Ray knows no resources, and a function's network interfaces have no names before they are made. */
const WITHOUT_RESOURCE = /^(xray|ec2):/;

function wideStatements(template: Template): string[] {
  const policies = ["AWS::IAM::Role", "AWS::IAM::ManagedPolicy"].flatMap((type) => ofType(template, type));
  return policies.flatMap(([id, { Properties }]) =>
    [...objectsIn(Properties)].flatMap(({ Effect, Action, Resource }) => {
      if (Effect !== "Allow") return [];
      const actions = [Action].flat() as string[];
      const wide = actions.filter((action) => action.includes("*"));
      const everywhere = [Resource].flat().includes("*")
        ? actions.filter((action) => !WITHOUT_RESOURCE.test(action))
        : [];
      return [
        ...wide.map((action) => `${id} allows ${action}: name the actions`),
        ...everywhere.map((action) => `${id} allows ${action} on everything: name the resource`),
      ];
    }),
  );
}

interface TableStatement {
  Effect?: string;
  Action?: string | string[];
  Resource?: unknown;
  Condition?: Record<string, Record<string, unknown> | undefined>;
}

/** The state table holds what decides what runs: a function that may touch each of its items may do anything. */
function wholeTables(template: Template): string[] {
  const state = JSON.stringify({ "Fn::GetAtt": ["StateTable", "Arn"] });
  return ofType(template, "AWS::IAM::Role").flatMap(([id, { Properties }]) =>
    [...objectsIn(Properties)].flatMap(({ Effect, Action, Resource, Condition }: TableStatement) => {
      const isOnState = [Resource].flat().some((resource) => JSON.stringify(resource) === state);
      if (Effect !== "Allow" || !isOnState) return [];
      const keys = Condition?.["ForAllValues:StringLike"]?.["dynamodb:LeadingKeys"];
      const isLimited = Array.isArray(keys) && keys.length > 0 && !keys.includes("*");
      // Of a request without the key, ForAllValues says that it holds.
      const isPresent = Condition?.Null?.["dynamodb:LeadingKeys"] === "false";
      if (isLimited && isPresent) return [];
      return [`${id} allows ${[Action].flat()} on every item of the state table: limit dynamodb:LeadingKeys`];
    }),
  );
}

/** An alarm whose topic is not encrypted, or with a key that CloudWatch may not use: then it would tell nobody. */
function silentAlarms(template: Template): string[] {
  return ofType(template, "AWS::SNS::Topic").flatMap(([id, { Properties }]) => {
    const { Ref: key } = (Properties.KmsMasterKeyId ?? {}) as { Ref?: string };
    const policy = key === undefined ? undefined : template.Resources[key]?.Properties.KeyPolicy;
    const allows = [...objectsIn(policy)].some(
      ({ Effect, Principal }) =>
        Effect === "Allow" && (Principal as { Service?: string })?.Service === "cloudwatch.amazonaws.com",
    );
    return allows ? [] : [`${id} needs a key of this template whose policy allows CloudWatch to use it`];
  });
}

/** Of ingest, whose function checks the token, where no authorizer does it; to other paths it only says what to do. */
const CHECKED_INSIDE = ["ANY /events/{api_id}", "$default"];

function openRoutes(template: Template): string[] {
  return ofType(template, "AWS::ApiGatewayV2::Route").flatMap(([, { Properties }]) => {
    const { RouteKey, AuthorizationType = "NONE" } = Properties;
    const open = AuthorizationType === "NONE" && !CHECKED_INSIDE.includes(RouteKey as string);
    return open ? [`route ${RouteKey} is open to everybody: give it an authorizer`] : [];
  });
}

/** The resource that a value refers to. */
function idOf(value: unknown): string | undefined {
  const { Ref: ref, "Fn::GetAtt": getAtt } = (value ?? {}) as { Ref?: string; "Fn::GetAtt"?: string[] };
  return ref ?? getAtt?.[0];
}

/** Everything that is sent to a queue when its work was given up. */
const GIVEN_UP = ["deadLetterTargetArn", "Destination"];

function queues(template: Template): string[] {
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
    ...(!last.has(id) || watched.has(id) ? [] : [`what is given up goes to ${id}, which no alarm watches`]),
  ]);
}

/** What brings functions their batches: a failure there must cost no message, and no message two runs side by side. */
function sources(template: Template): string[] {
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
    ...(redrive ? [] : [`${id} has no RedrivePolicy: what always fails would come for ever`]),
  ];
}

/** S3 invokes without waiting for the outcome: what fails again and again has to be kept. */
function lostInvocations(template: Template): string[] {
  const destinations = new Map(
    ofType(template, "AWS::Lambda::EventInvokeConfig").map(([, { Properties }]) => {
      const { OnFailure } = (Properties.DestinationConfig ?? {}) as { OnFailure?: { Destination: unknown } };
      return [idOf(Properties.FunctionName), idOf(OnFailure?.Destination)];
    }),
  );
  return ofType(template, "AWS::Lambda::Permission").flatMap(([, { Properties }]) => {
    if (Properties.Principal !== "s3.amazonaws.com") return [];
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

/** Gateway-sync leaves to a later invocation each key that it may have no time for. */
function gatewayTiming({ Resources }: Template): string[] {
  const sync = Resources.GatewayDashsyncLambdaFunction?.Properties as Timed | undefined;
  if (!sync) return ["GatewayDashsyncLambdaFunction is missing"];
  const request = Number(sync.Environment.Variables.GATEWAY_TIMEOUT_MS);
  const time = Number(sync.Timeout) * 1000;
  if (8 * request + 1_000 < time) return [];
  return [`GATEWAY_TIMEOUT_MS is ${request}, but eight of it and a second must fit into ${time} ms`];
}

/** How the times and counts of the queues, the consumer and the ledger hang together. */
function timing({ Resources }: Template): string[] {
  const consumer = Resources.ConsumerLambdaFunction?.Properties as Timed | undefined;
  const events = Resources.EventsQueue?.Properties as Queue | undefined;
  const letters = Resources.DeadLettersQueue?.Properties as Queue | undefined;
  if (!consumer || !events || !letters)
    return ["ConsumerLambdaFunction, EventsQueue or DeadLettersQueue is missing"];
  const setting = (name: string) => Number(consumer.Environment.Variables[name]);
  const timeout = Number(consumer.Timeout);
  const retention = Number(events.MessageRetentionPeriod);
  const lettersRetention = Number(letters.MessageRetentionPeriod);
  const receives = Number(events.RedrivePolicy.maxReceiveCount);
  const limit = setting("RECEIVE_LIMIT");
  const attempts = setting("MAX_ATTEMPTS");
  const ledger = setting("LEDGER_TTL_SECONDS");
  const rules: [boolean, string][] = [
    [
      lettersRetention > retention,
      `deadLettersRetention is ${lettersRetention} s, but must be longer than eventsRetention, ${retention} s`,
    ],
    [
      ledger > retention + lettersRetention,
      `LEDGER_TTL_SECONDS is ${ledger}, but must be more than both retentions together, ${retention + lettersRetention}`,
    ],
    [limit === receives, `RECEIVE_LIMIT is ${limit}, but the queue's maxReceiveCount is ${receives}`],
    [limit > attempts, `RECEIVE_LIMIT is ${limit}, but must be more than MAX_ATTEMPTS, ${attempts}`],
    [
      setting("HANDLER_TIMEOUT_MS") + setting("HANDLER_GRACE_MS") <= timeout * 1000 - 2_000,
      `HANDLER_TIMEOUT_MS and HANDLER_GRACE_MS must end two seconds before consumerTimeout, ${timeout} s`,
    ],
  ];
  return rules.flatMap(([holds, problem]) => (holds ? [] : [problem]));
}
