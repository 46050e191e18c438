import middy from "@middy/core";
import { createDynamo, createS3, createSqs } from "../../functions/clients.ts";

// What the consumer has beside its work: the same clients, made the same way.
export const clients = [createDynamo(), createSqs(), createS3(process.env)];

export const main = middy().handler(async () => ({ batchItemFailures: [] }));
