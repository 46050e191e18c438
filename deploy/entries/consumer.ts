// The file of the consumer that Lambda loads. A single bundle would load Node's modules for the AWS SDK before its
// first line; so this small file starts the sandbox's thread first. `npm run bench:coldstart` measures it.
import { warmRuntime } from "../../functions/warm-runtime.ts";

warmRuntime();

/** The Lambda entry of the consumer. */
export const { main } = await import("../../functions/consumer.ts");
