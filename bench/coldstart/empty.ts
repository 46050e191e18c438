import middy from "@middy/core";
import { createDynamo, createS3 } from "../../functions/clients.ts";

// What the consumer has beside its work: the same clients, made the same way.
export const clients = [createDynamo(), createS3(process.env)];

export const main = middy().handler(async () => ({ batchItemFailures: [] }));
