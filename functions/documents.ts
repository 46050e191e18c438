import { DynamoDBDocumentClient } from "@aws-sdk/lib-dynamodb";
import { createDynamo } from "./clients.ts";

/** For items that hold nothing of what a script made: see lib/dynamo/attributes.ts. */
export const createDocuments = (dynamo = createDynamo()) =>
  DynamoDBDocumentClient.from(dynamo, {
    marshallOptions: { removeUndefinedValues: true, allowImpreciseNumbers: true },
    // By itself the SDK makes a BigInt of a whole number above 2^53, which no session is printed with.
    unmarshallOptions: { wrapNumbers: Number },
  });
