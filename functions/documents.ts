import { DynamoDBDocumentClient } from "@aws-sdk/lib-dynamodb";
import { createDynamo } from "./clients.ts";

/** For items without data from scripts: see lib/dynamo/attributes.ts. */
export const createDocuments = (dynamo = createDynamo()) =>
  DynamoDBDocumentClient.from(dynamo, {
    marshallOptions: { removeUndefinedValues: true, allowImpreciseNumbers: true },
    // By default, the SDK converts a whole number above 2^53 to a BigInt, which cannot be part of a session's JSON.
    unmarshallOptions: { wrapNumbers: Number },
  });
