import type { IncomingHttpHeaders } from "node:http";

/** What a request to AWS needs to be allowed: an IAM action on a resource, of a table on one of its items. */
export interface Access {
  action: string;
  resource: string;
  /** The item's partition key; undefined where the request names none. */
  item?: string | undefined;
}

export const nameOf = ({ action, resource, item }: Access) =>
  `${action} ${resource}${item === undefined ? "" : ` ${item}`}`;

export interface AwsRequest {
  method: string;
  url: string;
  headers: IncomingHttpHeaders;
  body: string;
}

export type ServiceName = "DYNAMODB" | "SQS" | "S3" | "SSM" | "SECRETS_MANAGER";

export function serviceOf({ headers }: AwsRequest): ServiceName {
  const target = String(headers["x-amz-target"] ?? "");
  if (target.startsWith("DynamoDB")) return "DYNAMODB";
  if (target.startsWith("AmazonSSM")) return "SSM";
  if (target.startsWith("secretsmanager")) return "SECRETS_MANAGER";
  return target.startsWith("AmazonSQS") ? "SQS" : "S3";
}

/** As the service authorization reference maps calls to actions; a batch or a transaction is several. */
export function accessesOf(request: AwsRequest, arnPrefix: (service: string) => string): Access[] {
  const operation = String(request.headers["x-amz-target"] ?? "").split(".")[1] ?? "";
  switch (serviceOf(request)) {
    case "DYNAMODB":
      return dynamoAccesses(operation, JSON.parse(request.body), arnPrefix("dynamodb"));
    case "SQS": {
      const { QueueUrl } = JSON.parse(request.body) as { QueueUrl: string };
      const queue = QueueUrl.slice(QueueUrl.lastIndexOf("/") + 1);
      return [{ action: `sqs:${operation.replace(/Batch$/, "")}`, resource: `${arnPrefix("sqs")}:${queue}` }];
    }
    case "SSM": {
      const { Name } = JSON.parse(request.body) as { Name: string };
      return [{ action: `ssm:${operation}`, resource: `${arnPrefix("ssm")}:parameter${Name}` }];
    }
    case "SECRETS_MANAGER": {
      const { SecretId } = JSON.parse(request.body) as { SecretId: string };
      // Secrets Manager puts a hyphen and six letters behind a secret's name.
      const resource = `${arnPrefix("secretsmanager")}:secret:${SecretId}-AbCdEf`;
      return [{ action: `secretsmanager:${operation}`, resource }];
    }
    case "S3":
      return [s3Access(request)];
  }
}

type Attributes = Record<string, { S?: string }>;

interface DynamoItem {
  TableName: string;
  IndexName?: string;
  Key?: Attributes;
  Item?: Attributes;
}

interface DynamoBody extends DynamoItem {
  RequestItems?: Record<string, { Keys: Attributes[] } | { PutRequest: { Item: Attributes } }[]>;
  TransactItems?: Record<string, DynamoItem>[];
  Statements?: { Statement: string; Parameters: { S?: string }[] }[];
}

/** The members of a TransactWriteItems, each an action of its own. */
const TRANSACTION_ACTIONS = {
  Put: "PutItem",
  Update: "UpdateItem",
  Delete: "DeleteItem",
  ConditionCheck: "ConditionCheckItem",
};

function dynamoAccesses(operation: string, body: DynamoBody, prefix: string): Access[] {
  const access = (action: string, { TableName, IndexName, Key, Item }: DynamoItem) => ({
    action: `dynamodb:${action}`,
    resource: `${prefix}:table/${TableName}${IndexName ? `/index/${IndexName}` : ""}`,
    item: (Key ?? Item)?.pk?.S ?? (Key ?? Item)?.key?.S,
  });
  if (body.TransactItems) {
    return body.TransactItems.flatMap((item) =>
      Object.entries(TRANSACTION_ACTIONS).flatMap(([member, action]) => {
        const part = item[member];
        return part ? [access(action, part)] : [];
      }),
    );
  }
  if (body.Statements) {
    return body.Statements.map(({ Statement, Parameters }) => {
      const isInsert = Statement.startsWith("INSERT");
      // An insert begins with its item's key, an update ends with its key and its version.
      const item = (isInsert ? Parameters[0] : Parameters.at(-2))?.S;
      const action = `dynamodb:PartiQL${isInsert ? "Insert" : "Update"}`;
      return { action, resource: `${prefix}:table/${/"([^"]+)"/.exec(Statement)?.[1]}`, item };
    });
  }
  if (body.RequestItems) {
    return Object.entries(body.RequestItems).flatMap(([TableName, asked]) =>
      Array.isArray(asked)
        ? asked.map(({ PutRequest: { Item } }) => access(operation, { TableName, Item }))
        : asked.Keys.map((Key) => access(operation, { TableName, Key })),
    );
  }
  return [access(operation, body)];
}

const S3_ACTIONS: Record<string, string> = { GET: "GetObject", PUT: "PutObject", DELETE: "DeleteObject" };

function s3Access({ method, url }: AwsRequest): Access {
  const [, bucket = "", ...key] = decodeURIComponent(url.replace(/\?.*$/, "")).split("/");
  if (key.join("/") === "") return { action: "s3:ListBucket", resource: `arn:aws:s3:::${bucket}` };
  return {
    action: `s3:${S3_ACTIONS[method] ?? method}`,
    resource: `arn:aws:s3:::${bucket}/${key.join("/")}`,
  };
}
