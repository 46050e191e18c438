/** The required format of a text: `rule` describes it, after "must be". */
export interface Form {
  pattern: RegExp;
  rule: string;
}

const arn = (what: string, service: string, resource: string, example: string): Form => ({
  pattern: new RegExp(`^arn:aws[a-z-]*:${service}:${resource}$`),
  rule: `the ARN of ${what}, such as ${example}`,
});

/** Of a region and an account. */
const HERE = "[a-z0-9-]+:\\d{12}:";
const TABLE = "table/[A-Za-z0-9_.-]{3,255}";

/** SQS: a standard queue, or one whose name ends in `.fifo`. */
export const QUEUE_ARN = arn(
  "a queue",
  "sqs",
  `${HERE}[A-Za-z0-9_-]{1,80}(\\.fifo)?`,
  "arn:aws:sqs:eu-west-1:123456789012:events",
);
/** DynamoDB: names of 3 to 255 characters. */
export const TABLE_ARN = arn(
  "a table",
  "dynamodb",
  `${HERE}${TABLE}`,
  "arn:aws:dynamodb:eu-west-1:123456789012:table/sessions",
);
/** The ARN of a stream ends with the time at which it was enabled. */
export const STREAM_ARN = arn(
  "a table's stream",
  "dynamodb",
  `${HERE}${TABLE}/stream/[0-9T:.-]+`,
  "arn:aws:dynamodb:eu-west-1:123456789012:table/sessions/stream/2026-01-01T00:00:00.000",
);
/** S3: names of 3 to 63 characters; neither region nor account is in the ARN. */
export const BUCKET_ARN = arn("a bucket", "s3", "::[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", "arn:aws:s3:::files");
/** KMS: a key of one region or of several (`mrk-`), not an alias. */
export const KEY_ARN = arn(
  "a key (not of an alias)",
  "kms",
  `${HERE}key/(mrk-[0-9a-f]{32}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})`,
  "arn:aws:kms:eu-west-1:123456789012:key/01234567-89ab-cdef-0123-456789abcdef",
);
/** IAM: of an account, or AWS's own. */
export const POLICY_ARN = arn(
  "a policy",
  "iam",
  ":(\\d{12}|aws):policy/[\\w+=,.@/-]+",
  "arn:aws:iam::123456789012:policy/boundary",
);
/** ACM, in the region of the API. */
export const CERTIFICATE_ARN = arn(
  "a certificate",
  "acm",
  `${HERE}certificate/[A-Za-z0-9-]+`,
  "arn:aws:acm:eu-west-1:123456789012:certificate/01234567-89ab-cdef-0123-456789abcdef",
);

/** At most 253 characters, labels of at most 63; no wildcard. */
export const DOMAIN_NAME: Form = {
  pattern: /^(?=.{4,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}$/,
  rule: "a domain name in lower case, such as events.example.com",
};
/** Route 53. */
export const HOSTED_ZONE: Form = {
  pattern: /^Z[A-Z0-9]{1,31}$/,
  rule: "the ID of a hosted zone, such as Z0123456789ABC",
};
/** A region of any partition, such as us-gov-west-1. */
export const REGION: Form = {
  pattern: /^[a-z]{2,5}(-[a-z]+)+-\d$/,
  rule: "a region, such as eu-west-1",
};

/** Rejects only addresses that SNS could never use: SNS itself sends a confirmation request to the address. */
export const EMAIL: Form = {
  pattern: /^[^\s@"]+@[^\s@"]+$/,
  rule: "an e-mail address",
};
/** https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_MetricDatum.html; AWS/ is AWS's own. */
export const NAMESPACE: Form = {
  pattern: /^(?!AWS\/)[A-Za-z0-9._/#: -]{1,255}$/,
  rule: "letters, digits, spaces and . _ / # : -, and not begin with AWS/",
};

/**
 * It is part of the names of all resources of the stack; the strictest rules are those of buckets and of the framework.
 */
export const SERVICE_NAME: Form = {
  pattern: /^(?!xn--|sthree-|amzn-s3-demo-)[a-z][a-z0-9-]{0,28}[a-z0-9]$/,
  rule:
    "2 to 30 lower-case letters, digits and hyphens, with a letter first and no hyphen last " +
    "(and not begin with xn--, sthree- or amzn-s3-demo-, which S3 keeps for itself)",
};
/** Names that begin with a dot belong to gatehook and other tools. */
export const SOURCE_FOLDER: Form = {
  pattern:
    /^(?!(.*\/)?node_modules(\/|$))(?!\.)[\p{L}\p{N}_.@+ -]*[\p{L}\p{N}_@+-](\/(?!\.)[\p{L}\p{N}_.@+ -]*[\p{L}\p{N}_@+-])*$/u,
  rule:
    "a folder in that of gatehook.json, such as src/handlers: names of letters, digits, spaces and _ . @ + -, " +
    "with / between them, of which none begins with a dot, ends with a dot or a space, or is node_modules",
};
/** `default` is the framework's name for the settings of all stages. */
export const STAGE_NAME: Form = {
  pattern: /^(?!default$)[a-z0-9]([a-z0-9-]{0,28}[a-z0-9])?$/,
  rule: "1 to 30 lower-case letters, digits and hyphens, with no hyphen first or last (and not default)",
};

/** https://docs.aws.amazon.com/tag-editor/latest/userguide/best-practices-and-strats.html */
export const TAG_NAME: Form = {
  pattern: /^(?![aA][wW][sS]:)[\p{L}\p{Z}\p{N}_.:/=+@-]{1,128}$/u,
  rule: "1 to 128 letters, digits, spaces and _ . : / = + - @, and not begin with aws:",
};
/** May be empty. */
export const TAG_VALUE: Form = {
  pattern: /^[\p{L}\p{Z}\p{N}_.:/=+@-]{0,256}$/u,
  rule: "at most 256 letters, digits, spaces and _ . : / = + - @",
};

/**
 * CloudFormation replaces it with the secret; of its dynamic references, these two work in a function's environment.
 */
export const SECRET_REFERENCE: Form = {
  pattern: /^\{\{resolve:(secretsmanager|ssm):[^{}]+\}\}$/,
  rule: "a reference, such as {{resolve:secretsmanager:gatehook/gateway-secret}}",
};

/** Up to six digits after the point. */
export const SHARE: Form = {
  pattern: /^(0(\.\d{1,6})?|1(\.0{1,6})?)$/,
  rule: "a number from 0 to 1, such as 0.01",
};
