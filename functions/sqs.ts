import { SQSClient } from "@aws-sdk/client-sqs";
import { requestHandler } from "./clients.ts";

/** The SDK itself reads the region, the credentials and AWS_ENDPOINT_URL_SQS. */
export const createSqs = () => new SQSClient({ requestHandler });
