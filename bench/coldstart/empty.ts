import middy from "@middy/core";
import { createDynamo, createS3 } from "../../functions/clients.ts";

// The same clients as in the consumer, created in the same way.
export const clients = [createDynamo(), createS3(process.env)];

export const main = middy().handler(async () => ({ batchItemFailures: [] }));
