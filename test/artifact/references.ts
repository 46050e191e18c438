import type { Template } from "../../deploy/template.ts";
import { createResolver, type Names } from "./resolve.ts";

const ACCOUNT = "000000000000";

export const arn = (service: string, region: string, rest: string) =>
  `arn:aws:${service}:${region}:${ACCOUNT}:${rest}`;

/** References as AWS would answer them, for resources whose name the template sets. */
export function namesOf(template: Template, options: { region: string; queueHost: string }): Names {
  const { region, queueHost } = options;
  const own = (id: string) => template.Resources[id] ?? { Type: "", Properties: {} };

  function nameOf(id: string): string {
    const { QueueName, TableName, BucketName, FunctionName } = own(id).Properties;
    const name = QueueName ?? TableName ?? BucketName ?? FunctionName;
    if (own(id).Type === "AWS::S3::Bucket" && name === undefined) return id.toLowerCase();
    return name === undefined ? id : (createResolver(template, names)(name) as string);
  }

  const names: Names = {
    pseudo: {
      "AWS::Partition": "aws",
      "AWS::AccountId": ACCOUNT,
      "AWS::Region": region,
      "AWS::URLSuffix": "amazonaws.com",
    },
    ref: (id) => (own(id).Type === "AWS::SQS::Queue" ? `${queueHost}/${ACCOUNT}/${nameOf(id)}` : nameOf(id)),
    attribute(id, attribute) {
      const arns: Record<string, string> = {
        "AWS::SQS::Queue": arn("sqs", region, nameOf(id)),
        "AWS::S3::Bucket": `arn:aws:s3:::${nameOf(id)}`,
        "AWS::DynamoDB::Table": arn("dynamodb", region, `table/${nameOf(id)}`),
        "AWS::IAM::Role": arn("iam", "", `role/${id}`),
      };
      const own_ = arns[own(id).Type] ?? arn("test", region, nameOf(id));
      return attribute === "StreamArn" ? `${own_}/stream/now` : own_;
    },
  };
  return names;
}
