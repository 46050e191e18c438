import { CreateTableCommand, type CreateTableCommandInput } from "@aws-sdk/client-dynamodb";
import { CreateBucketCommand } from "@aws-sdk/client-s3";
import { CreateQueueCommand } from "@aws-sdk/client-sqs";
import { ofType, type Template } from "../../deploy/template.ts";
import type { Clients } from "../../local/resources.ts";

type Resolve = (value: unknown) => unknown;

/** Makes the tables, queues and the bucket of a template, as far as the services here know their properties. */
export async function createTemplateResources(
  template: Template,
  { dynamo, sqs, s3 }: Clients,
  resolve: Resolve,
): Promise<void> {
  // What has no name of ours is called by its logical id here, as by a !Ref.
  const propertiesOf = <T>(type: string) =>
    ofType(template, type).map(([id, { Properties }]) => {
      const own = resolve(Properties) as Record<string, unknown>;
      return { ...own, Name: resolve({ Ref: id }) } as T & { Name: string };
    });
  for (const table of propertiesOf<CreateTableCommandInput>("AWS::DynamoDB::Table")) {
    const { Name, BillingMode, AttributeDefinitions, KeySchema, GlobalSecondaryIndexes } = table;
    const { StreamSpecification: stream } = table;
    await dynamo.send(
      new CreateTableCommand({
        TableName: Name,
        BillingMode,
        AttributeDefinitions,
        KeySchema,
        GlobalSecondaryIndexes,
        ...(stream && { StreamSpecification: { ...stream, StreamEnabled: true } }),
      }),
    );
  }
  // A queue after the one that its dead letters go to.
  const queues = propertiesOf<QueueProperties>("AWS::SQS::Queue");
  for (const queue of queues.toSorted((a, b) => Number(!!a.RedrivePolicy) - Number(!!b.RedrivePolicy))) {
    const { QueueName, VisibilityTimeout, MessageRetentionPeriod, RedrivePolicy } = queue;
    const given = { VisibilityTimeout, MessageRetentionPeriod, RedrivePolicy: json(RedrivePolicy) };
    const Attributes = Object.fromEntries(
      Object.entries(given).flatMap(([name, value]) => (value === undefined ? [] : [[name, String(value)]])),
    );
    await sqs.send(new CreateQueueCommand({ QueueName, Attributes }));
  }
  for (const { Name } of propertiesOf<object>("AWS::S3::Bucket"))
    await s3.send(new CreateBucketCommand({ Bucket: Name }));
}

interface QueueProperties {
  QueueName: string;
  VisibilityTimeout?: number;
  MessageRetentionPeriod?: number;
  RedrivePolicy?: object;
}

const json = (value: object | undefined) => value && JSON.stringify(value);
