import { objectsIn, ofType, type Template } from "./template.ts";

/** X-Ray does not support resources, and a function's network interfaces have no names before they are created. */
const WITHOUT_RESOURCE = /^(xray|ec2):/;

/** The statements of roles and policies with a wildcard action, or for every resource. */
export function wideStatements(template: Template): string[] {
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

/** The state table determines which code runs: a function with access to all of its items may do anything. */
export function wholeTables(template: Template): string[] {
  const state = JSON.stringify(stateTableArn(template));
  return ofType(template, "AWS::IAM::Role").flatMap(([id, { Properties }]) =>
    [...objectsIn(Properties)].flatMap(({ Effect, Action, Resource, Condition }: TableStatement) => {
      const isOnState = [Resource].flat().some((resource) => JSON.stringify(resource) === state);
      if (Effect !== "Allow" || !isOnState) return [];
      const keys = Condition?.["ForAllValues:StringLike"]?.["dynamodb:LeadingKeys"];
      const isLimited = Array.isArray(keys) && keys.length > 0 && !keys.includes("*");
      // ForAllValues is also true for a request without the key.
      const isPresent = Condition?.Null?.["dynamodb:LeadingKeys"] === "false";
      if (isLimited && isPresent) return [];
      return [`${id} allows ${[Action].flat()} on every item of the state table: limit dynamodb:LeadingKeys`];
    }),
  );
}

/** Created by the template, or given: then the functions take its name from the ARN. */
function stateTableArn({ Resources }: Template): unknown {
  const { Environment } = Resources.ReleaserLambdaFunction?.Properties ?? {};
  const { STATE_TABLE: name } = (Environment as { Variables?: Record<string, unknown> })?.Variables ?? {};
  const [, split] = ((name as { "Fn::Select"?: unknown[] })?.["Fn::Select"] ?? []) as [unknown, object?];
  const [, given] = ((split as { "Fn::Split"?: unknown[] })?.["Fn::Split"] ?? []) as [unknown, unknown?];
  return given ?? { "Fn::GetAtt": ["StateTable", "Arn"] };
}

/**
 * Alarms whose topic is not encrypted, or encrypted with a key that CloudWatch may not use: they would notify nobody.
 */
export function silentAlarms(template: Template): string[] {
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

/**
 * The routes of ingest, whose function checks the token if no authorizer does; for other paths it only returns advice.
 * And the key API, whose clients have a secret instead of IAM credentials.
 */
const CHECKED_INSIDE = ["ANY /events/{api_id}", "$default", "ANY /tyk/{path+}"];

/** Routes of the HTTP API whose callers nobody checks. */
export function openRoutes(template: Template): string[] {
  return ofType(template, "AWS::ApiGatewayV2::Route").flatMap(([, { Properties }]) => {
    const { RouteKey, AuthorizationType = "NONE" } = Properties;
    const open = AuthorizationType === "NONE" && !CHECKED_INSIDE.includes(RouteKey as string);
    return open ? [`route ${RouteKey} is open to everybody: give it an authorizer`] : [];
  });
}

/** The URL of ingest, whose function checks the token. */
const INGEST = { "Fn::GetAtt": ["IngestLambdaFunction", "Arn"] };

/** URLs of functions whose callers nobody checks. */
export function openUrls(template: Template): string[] {
  return ofType(template, "AWS::Lambda::Url").flatMap(([id, { Properties }]) => {
    const { TargetFunctionArn, AuthType } = Properties;
    const isIngest = JSON.stringify(TargetFunctionArn) === JSON.stringify(INGEST);
    return isIngest || AuthType === "AWS_IAM"
      ? []
      : [`the URL ${id} is open to everybody: its AuthType must be AWS_IAM`];
  });
}
