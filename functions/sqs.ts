import { SQSClient } from "@aws-sdk/client-sqs";
import { requestHandler } from "./clients.ts";

export const createSqs = () => new SQSClient({ requestHandler });
